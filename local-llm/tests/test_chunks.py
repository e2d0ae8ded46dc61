"""The bodies and events a client reads."""

from typing import Any

import orjson
import pytest

from local_llm.chunks import DONE, Chunks, Usage, comment, event

CHUNKS = Chunks("chatcmpl-1", "SmolLM2", 1700000000)
HEAD = {"id": "chatcmpl-1", "created": 1700000000, "model": "SmolLM2"}
USAGE = Usage(prompt=10, cached=4, completion=3)
USAGE_BODY = {
    "prompt_tokens": 10,
    "completion_tokens": 3,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 4},
}


def choice(delta: dict[str, str], reason: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]


@pytest.mark.parametrize(
    ("data", "more"),
    [
        (CHUNKS.role(), {"choices": choice({"role": "assistant", "content": ""})}),
        (CHUNKS.content('"é😀\n'), {"choices": choice({"content": '"é😀\n'})}),
        (CHUNKS.finish("length"), {"choices": choice({}, "length")}),
        (CHUNKS.usage(USAGE), {"choices": [], "usage": USAGE_BODY}),
    ],
    ids=["role", "content", "finish", "usage"],
)
def test_events(data: bytes, more: dict[str, Any]) -> None:
    """Each event is one data line with the true model in it."""
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    assert data.count(b"\n") == 2
    assert orjson.loads(data[6:]) == HEAD | {"object": "chat.completion.chunk"} | more


def test_completion() -> None:
    """A whole answer has the same head."""
    message = {"role": "assistant", "content": "Hi", "refusal": None}
    assert orjson.loads(CHUNKS.completion("Hi", "stop", USAGE)) == HEAD | {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE_BODY,
    }


def test_framing() -> None:
    """The lines that are no chunks."""
    assert comment("waiting") == b": waiting\n\n"
    assert event({"error": {}}) == b'data: {"error":{}}\n\n'
    assert DONE == b"data: [DONE]\n\n"
