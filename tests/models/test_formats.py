"""The big models' paths, by small files of their architectures with their chat formats, in the real llama.cpp."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import generated_gguf as generated
import llama_cpp
import psutil
import pytest
from gguf import GGMLQuantizationType
from llama_cpp.server.model import LlamaProxy

from local_llm.models import catalogue, gguf_header
from local_llm.models.footprint import need_bytes
from local_llm.models.weights import Weights, context_tokens, server_settings_for
from local_llm.prompt.flatten import Message
from local_llm.prompt.template import Template
from local_llm.settings import Settings

CONVERSATION = [
    Message("system", "Be brief."),
    Message("user", "Who?"),
    Message("assistant", "Me."),
    Message("user", "Why?"),
]
MODELS = [
    # name, shape, how the conversation reads, ends a turn
    (
        "qwen2.5-1.5b",
        generated.QWEN,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\nMe."
        "<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n",
        "<|im_end|>",
    ),
    (
        "phi-3-mini",
        generated.PHI,
        "<s><|user|>\nBe brief.\n\nWho?<|end|>\n<|assistant|>\nMe.<|end|>\n<|user|>\nWhy?<|end|>\n<|assistant|>\n",
        "<|end|>",
    ),
    (
        "tinyllama-1.1b",
        generated.TINYLLAMA,
        "<s><|system|>\nBe brief.</s>\n<|user|>\nWho?</s>\n<|assistant|>\nMe.</s>\n<|user|>\nWhy?</s>\n<|assistant|>\n",
        "</s>",
    ),
]


@pytest.fixture(scope="module", params=MODELS, ids=[case[0] for case in MODELS])
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, llama_cpp.Llama, str, str]]:
    """Name, file, the loaded model, how the conversation reads, and what ends a turn."""
    name, shape, text, end = request.param
    path = generated.write(tmp_path_factory.mktemp("formats") / f"{name}.gguf", generated.small(shape))
    context = context_tokens(None, gguf_header.read(path))
    proxy = LlamaProxy([server_settings_for(Weights(path, name), Settings(), context)])
    yield name, path, proxy(name), text, end
    proxy.free()  # type: ignore[no-untyped-call]  # as llama_cpp has it


def stops(name: str) -> tuple[str, ...]:
    entry = catalogue.named(name)
    assert entry is not None
    return entry.stops


def test_the_conversation_reads_as_the_model_was_taught(model: tuple[str, Path, llama_cpp.Llama, str, str]) -> None:
    """The persona too, where the model's format leaves system messages out; the beginning mark once."""
    name, _, llama, text, _ = model
    tokens = Template(llama, stops(name)).tokens(CONVERSATION)
    read = llama.detokenize(tokens, special=True).decode()
    # SentencePiece writes blanks as \u2581, and one more behind each mark.
    assert re.sub("[ \u2581]", "", read) == text.replace(" ", "")


def test_what_ends_a_turn(model: tuple[str, Path, llama_cpp.Llama, str, str]) -> None:
    """llama.cpp knows the model's mark as an end, and it is one token."""
    _, _, llama, _, end = model
    tokens = llama.tokenize(end.encode(), add_bos=False, special=True)
    assert len([token for token in tokens if token != 0]) == 1
    assert llama_cpp.llama_vocab_is_eog(llama._model.vocab, tokens[-1])


def test_nobody_speaks_as_the_system(model: tuple[str, Path, llama_cpp.Llama, str, str]) -> None:
    """Role marks in what the user says are text, also where they are no tokens of their own."""
    name, _, llama, _, end = model
    template = Template(llama, stops(name))
    for mark in (end, "<|im_start|>" if "qwen" in name else "<|system|>"):
        said = template.tokens([Message("user", f"a{mark}b")])
        plain = template.tokens([Message("user", "ab")])
        assert llama.detokenize(said, special=True).decode().count(mark) == llama.detokenize(
            plain, special=True
        ).decode().count(mark)


def test_the_context(model: tuple[str, Path, llama_cpp.Llama, str, str]) -> None:
    """As long as the model was trained for, at most 8192."""
    name, _, llama, _, _ = model
    entry = catalogue.named(name)
    assert entry is not None
    assert llama.n_ctx() == entry.context_tokens


def test_it_writes(model: tuple[str, Path, llama_cpp.Llama, str, str]) -> None:
    """The same greedy answer twice: the cache does not change what is computed."""
    name, _, llama, _, _ = model
    prompt = Template(llama, stops(name)).tokens(CONVERSATION)
    answers = []
    for _ in range(2):
        stream = llama.generate(prompt, temp=0.0, repeat_penalty=1.0)
        answers.append([next(stream) for _ in range(8)])
        stream.close()
    assert answers[0] == answers[1]


@pytest.mark.parametrize("shape", [generated.QWEN, generated.PHI, generated.TINYLLAMA], ids=lambda s: s.architecture)
def test_the_memory_is_reckoned_right(shape: generated.Shape, tmp_path: Path) -> None:
    """What a model of some size takes is not above what was reckoned, and not far below."""
    shape = replace(shape, layers=4)
    path = generated.write(tmp_path / "model.gguf", shape, weights=GGMLQuantizationType.Q4_K, hollow=True)
    header, context = gguf_header.read(path), 2048
    process = psutil.Process()
    before = process.memory_info().rss
    proxy = LlamaProxy([server_settings_for(Weights(path, "m"), Settings(), context)])
    proxy("m").eval(list(range(300, 812)))
    taken = process.memory_info().rss - before
    proxy.free()  # type: ignore[no-untyped-call]  # as llama_cpp has it
    reckoned = need_bytes(header, path.stat().st_size, context)
    assert taken <= reckoned
    assert taken >= reckoned * 0.5
    assert process.memory_info().rss - before < taken * 0.5, "given back"
