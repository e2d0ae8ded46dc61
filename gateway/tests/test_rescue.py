"""What a broken stream had said, and how another brain's events join it."""

from typing import Any

import orjson
import pytest

from gateway.dialects.chat_completions.dialect import ChatCompletions
from gateway.dialects.chat_completions.stream import PartialChat
from gateway.relay.rescue import RESCUE_LINE


def event(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-claude", "object": "chat.completion.chunk", "created": 7, "model": "claude-x"}
    return b"data: " + orjson.dumps({**head, "choices": [choice], **more}) + b"\n\n"


ROLE = event({"role": "assistant", "content": ""})
CALL = event({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]})

BROKEN: list[tuple[str, bytes, str, bool, bool]] = [
    # why it exists, what was passed on, its text, whether a tool was being called, whether all had been said
    ("nothing", b"", "", False, False),
    ("a comment only", b": waiting\n\n", "", False, False),
    (
        "half a sentence",
        ROLE + event({"content": "The cap"}) + event({"content": "ital of"}),
        "The capital of",
        False,
        False,
    ),
    ("a tool call", ROLE + event({"content": "Let me see."}) + CALL, "Let me see.", True, False),
    ("only the goodbye is missing", ROLE + event({"content": "Paris."}) + event({}, "stop"), "Paris.", False, True),
    ("usage chunk", ROLE + event({"content": "A"}) + b'data: {"choices":[],"usage":{}}\n\n', "A", False, False),
    ("beyond ASCII", ROLE + event({"content": "Zürich 🚆"}), "Zürich 🚆", False, False),
]


@pytest.mark.parametrize(("why", "events", "text", "tool_call", "finished"), BROKEN, ids=[case[0] for case in BROKEN])
def test_what_had_been_said(why: str, events: bytes, text: str, tool_call: bool, finished: bool) -> None:
    """Text, a call under way and a reached end are read from the events that were passed on."""
    broken = PartialChat(events)
    assert (broken.text, broken.joinable, broken.finished) == (text, not tool_call, finished)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (b'data: {"error":{"message":"m","code":"stall"}}\n\n', "stall"),
        (b'data: {"error":{"message":"m","code":"overloaded"}}\n\ndata: more', "overloaded"),
        (b'data: {"error":"odd"}\n\n', "protocol"),
        (b'data: {"error":', "protocol"),
    ],
)
def test_the_reason_is_in_the_error_event(error: bytes, reason: str) -> None:
    """The adapter names it; what cannot be read is a protocol fault."""
    assert ChatCompletions().reason_of(error) == reason


def test_the_continuation_holds_the_conversation_and_the_partial_answer() -> None:
    """Same request, with the answer so far as the last message, streamed, and without tools."""
    body = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.5, "tools": [{}], "tool_choice": "auto"}
    request = orjson.loads(PartialChat(ROLE + event({"content": "The cap"})).continuation(body))
    assert request == {
        "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "The cap"}],
        "temperature": 0.5,
        "stream": True,
    }


def test_the_readers_line_is_a_chunk_of_the_broken_stream() -> None:
    """Its id, and the model that now speaks."""
    chunk = orjson.loads(PartialChat(ROLE).line("small", RESCUE_LINE)[6:])
    assert (chunk["id"], chunk["created"], chunk["model"]) == ("chatcmpl-claude", 7, "small")
    assert chunk["choices"][0]["delta"] == {"content": RESCUE_LINE}


def test_joined_events_keep_the_streams_id_and_say_the_role_once() -> None:
    """The continuation's own id, time and role would be a second answer."""
    broken = PartialChat(ROLE)
    joined = orjson.loads(broken.join(event({"role": "assistant", "content": ""}, id="other", model="small")[:-2])[6:])
    assert (joined["id"], joined["created"], joined["model"]) == ("chatcmpl-claude", 7, "small")
    assert joined["choices"][0]["delta"] == {"content": ""}


@pytest.mark.parametrize("other", [b"data: [DONE]", b": reading"])
def test_what_is_no_chunk_passes_as_it_is(other: bytes) -> None:
    """The end marker and comments."""
    assert PartialChat(ROLE).join(other) == other + b"\n\n"
