"""The bodies and events a client of Messages reads."""

from typing import Any

import orjson
import pytest

from local_llm.dialects.answer import Answer, Usage
from local_llm.dialects.errors import ApiError, BadRequestError, BusyError, unforeseen
from local_llm.dialects.messages_reply import MessagesReply
from local_llm.dialects.tools import Part, ToolCall

USAGE = Usage(prompt=10, cached=4, completion=3)
ENDED = Answer("stop", None, USAGE)
USAGE_BODY = {
    "input_tokens": 6,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 4,
    "output_tokens": 3,
}
CALL = ToolCall("look", '{"at":1}')


def events(data: bytes) -> list[dict[str, Any]]:
    """Each event's body; its name is its type."""
    bodies = []
    for event in data.removesuffix(b"\n\n").split(b"\n\n"):
        name, body = event.split(b"\n")
        bodies.append(orjson.loads(body.removeprefix(b"data: ")))
        assert name == b"event: " + bodies[-1]["type"].encode()
    return bodies


def stream(parts: list[Part], answer: Answer = ENDED) -> list[dict[str, Any]]:
    reply = MessagesReply("1", "SmolLM2")
    data = reply.opening(10) + b"".join(reply.part(part) for part in parts) + reply.end(answer)
    return events(data)


def test_a_stream_of_text() -> None:
    """The order that clients check, with the first block at the first words."""
    start, ping, *rest = stream(["Hel", "lo"])
    assert start["message"] == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "SmolLM2",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }
    assert ping == {"type": "ping"}
    assert rest == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": USAGE_BODY,
        },
        {"type": "message_stop"},
    ]


def test_a_stream_with_a_call() -> None:
    """A block of its own behind the text's, with its arguments as JSON text."""
    said = stream(["Look.", CALL])[5:]
    assert said[:4] == [
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "toolu_1_1", "name": "look", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"at":1}'},
        },
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": USAGE_BODY,
        },
    ]


def test_a_stream_of_nothing() -> None:
    """Without a word there is no block, and a proper end all the same."""
    assert [event["type"] for event in stream([])] == ["message_start", "ping", "message_delta", "message_stop"]


@pytest.mark.parametrize(
    ("parts", "answer", "reason"),
    [
        (["Hi"], ENDED, "end_turn"),
        (["Hi"], Answer("length", None, USAGE), "max_tokens"),
        (["Hi"], Answer("stop", "END", USAGE), "stop_sequence"),
        ([CALL], ENDED, "tool_use"),
        (["Hi", CALL], Answer("length", None, USAGE), "max_tokens"),
    ],
)
def test_why_it_ended(parts: list[Part], answer: Answer, reason: str) -> None:
    """In Anthropic's words, streamed and whole."""
    assert stream(parts, answer)[-2]["delta"] == {"stop_reason": reason, "stop_sequence": answer.stop}
    body = orjson.loads(MessagesReply("1", "SmolLM2").whole(parts, answer))
    assert (body["stop_reason"], body["stop_sequence"]) == (reason, answer.stop)


def test_a_whole_answer() -> None:
    """Pieces of text are one block; a call is one with its arguments as an object."""
    body = orjson.loads(MessagesReply("1", "SmolLM2").whole(["Lo", "ok.", CALL], ENDED))
    assert body["content"] == [
        {"type": "text", "text": "Look."},
        {"type": "tool_use", "id": "toolu_1_1", "name": "look", "input": {"at": 1}},
    ]
    assert body["usage"] == USAGE_BODY


def test_waiting_is_a_ping() -> None:
    """The dialect's own way to keep the line alive."""
    assert events(MessagesReply("1", "SmolLM2").waiting("reading")) == [{"type": "ping"}]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequestError("messages", "No."), "invalid_request_error"),
        (BusyError("Later.", 3, cause="queue_full"), "overloaded_error"),
        (ApiError(404, "No.", "invalid_request_error"), "not_found_error"),
        (unforeseen(), "api_error"),
    ],
)
def test_errors(error: ApiError, kind: str) -> None:
    """As an event, and with the id that leads through the logs."""
    (event,) = events(MessagesReply("1", "SmolLM2").failed(error))
    assert event == {"type": "error", "error": {"type": kind, "message": str(error)}, "request_id": "1"}
