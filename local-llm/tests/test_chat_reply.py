"""The bodies and events a client of Chat Completions reads."""

from typing import Any

import orjson
import pytest

from local_llm.dialects.answer import Answer, Usage
from local_llm.dialects.chat_reply import DONE, ChatReply
from local_llm.dialects.errors import BadRequestError
from local_llm.dialects.tools import ToolCall

HEAD = {"id": "chatcmpl-1", "created": 1700000000, "model": "SmolLM2"}
USAGE = Usage(prompt=10, cached=4, completion=3)
USAGE_BODY = {
    "prompt_tokens": 10,
    "completion_tokens": 3,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 4},
}
CALL = ToolCall("look", '{"at":1}')
CALL_BODY = {"id": "call_1_1", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}


def chunks(*, wants_usage: bool = False) -> ChatReply:
    return ChatReply("1", "SmolLM2", 1700000000, wants_usage=wants_usage)


def choice(delta: dict[str, Any], reason: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]


@pytest.mark.parametrize(
    ("data", "more"),
    [
        (chunks().opening(10), {"choices": choice({"role": "assistant", "content": ""})}),
        (chunks().part('"é😀\n'), {"choices": choice({"content": '"é😀\n'})}),
        (chunks().part(CALL), {"choices": choice({"tool_calls": [{"index": 0, **CALL_BODY}]})}),
    ],
    ids=["role", "content", "tool call"],
)
def test_events(data: bytes, more: dict[str, Any]) -> None:
    """Each event is one data line with the true model in it."""
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    assert data.count(b"\n") == 2
    assert orjson.loads(data[6:]) == HEAD | {"object": "chat.completion.chunk"} | more


@pytest.mark.parametrize("wants_usage", [False, True])
def test_the_end(wants_usage: bool) -> None:
    """The finish, the usage only when it was asked for, and [DONE] last."""
    data = chunks(wants_usage=wants_usage).end(Answer("length", None, USAGE))
    *events, done, nothing = data.split(b"\n\n")
    bodies = [orjson.loads(event.removeprefix(b"data: ")) for event in events]
    assert bodies[0]["choices"] == choice({}, "length")
    assert [body.get("usage") for body in bodies[1:]] == ([USAGE_BODY] if wants_usage else [])
    assert (done + b"\n\n", nothing) == (DONE, b"")


def test_a_tool_call_is_why_it_ended() -> None:
    """Clients look at the finish to know that there is a call to make."""
    stream = chunks()
    stream.part(CALL)
    assert b'"finish_reason":"tool_calls"' in stream.end(Answer("stop", None, USAGE))


@pytest.mark.parametrize(
    ("parts", "message", "reason"),
    [
        (["H", "i"], {"role": "assistant", "content": "Hi", "refusal": None}, "stop"),
        ([], {"role": "assistant", "content": "", "refusal": None}, "stop"),
        ([CALL], {"role": "assistant", "content": None, "refusal": None, "tool_calls": [CALL_BODY]}, "tool_calls"),
    ],
    ids=["text", "nothing", "tool call"],
)
def test_completion(parts: list[str | ToolCall], message: dict[str, Any], reason: str) -> None:
    """A whole answer has the same head."""
    assert orjson.loads(chunks().whole(parts, Answer("stop", None, USAGE))) == HEAD | {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": USAGE_BODY,
    }


def test_framing() -> None:
    """A comment keeps the line alive; an error ends a stream without [DONE]."""
    assert chunks().waiting("waiting") == b": waiting\n\n"
    failed = chunks().failed(BadRequestError("n", "No."))
    assert failed.startswith(b'data: {"error":{"message":"No.",')
    assert DONE not in failed
