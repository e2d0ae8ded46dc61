"""The notice and the rescue in Messages streams keep the order that the SDKs insist on."""

from typing import Any

import orjson
import pytest

from gateway.dialects.messages.dialect import Messages, put_in_front
from gateway.dialects.messages.stream import NoticeBlock, PartialMessage, block_stop, event, text_delta
from gateway.dialects.messages.stream import text_start as start
from gateway.dialects.sse import EventReader
from message_stream import add_up, check_order, read_event

Json = dict[str, Any]

BEGIN = event({"type": "message_start", "message": {"id": "msg_1", "model": "small", "content": []}})
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
TOOL = event({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "f"}})
JSON = event({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}})
THINK = event({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}})
DELTA = event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}})
STOP = event({"type": "message_stop"})


def read(stream: bytes) -> list[Json]:
    return [parsed for raw in stream.split(b"\n\n") if raw and (parsed := read_event(raw))]


def words(stream: bytes) -> list[str]:
    """The text of each block, `tool` for a tool call; fails when the stream is out of order."""
    events = read(stream)
    check_order(events)
    return [block.get("text", "tool") for block in add_up(events)["content"]]


LOCAL: list[tuple[str, bytes, list[str]]] = [
    # why it exists, the local stream behind its first event, what the reader sees
    ("text", PING + start(0) + text_delta(0, "Hi") + block_stop(0) + DELTA + STOP, ["Note.\n\nHi"]),
    ("a tool call", PING + TOOL + JSON + block_stop(0) + DELTA + STOP, ["Note.\n\n", "tool"]),
    (
        "text, then a tool call",
        start(0) + text_delta(0, "Hi") + block_stop(0) + TOOL.replace(b'"index":0', b'"index":1') + block_stop(1),
        ["Note.\n\nHi", "tool"],
    ),
    (
        "two tool calls",
        TOOL + block_stop(0) + TOOL.replace(b":0", b":1") + block_stop(1),
        ["Note.\n\n", "tool", "tool"],
    ),
    ("nothing", PING + DELTA + STOP, ["Note.\n\n"]),
    (
        "a block that begins with words",
        start(0).replace(b'"text":""', b'"text":"Hi"') + block_stop(0) + DELTA + STOP,
        ["Note.\n\nHi"],
    ),
    ("pings between", start(0) + PING + text_delta(0, "Zürich") + PING + block_stop(0), ["Note.\n\nZürich"]),
]


@pytest.mark.parametrize("step_bytes", [1, 7, 100_000])
@pytest.mark.parametrize(("why", "stream", "seen"), LOCAL, ids=[case[0] for case in LOCAL])
def test_the_notice_opens_the_first_text_block(why: str, stream: bytes, seen: list[str], step_bytes: int) -> None:
    """However the stream is cut into reads: one well-ordered message with the notice in front."""
    if STOP not in stream:
        stream += DELTA + STOP
    noticed = NoticeBlock("Note.")
    reader = EventReader()
    told = noticed.feed(reader.feed(BEGIN))
    assert words(told + block_stop(0) + DELTA + STOP) == ["Note.\n\n"], "the notice is there at once"
    for at in range(0, len(stream), step_bytes):
        part = stream[at : at + step_bytes]
        told += noticed.feed(reader.feed(part))
    assert words(told) == seen


CLAUDE = event({"type": "message_start", "message": {"id": "msg_c", "model": "claude-x", "content": []}})
OPEN = CLAUDE + PING + start(0) + text_delta(0, "The capital ") + text_delta(0, "of")

BROKEN: list[tuple[str, bytes, str, bool, bool]] = [
    # why it exists, what was passed on, its text, whether it can be gone on with, whether all had been said
    ("nothing", b"", "", True, False),
    ("only the beginning", CLAUDE + PING, "", True, False),
    ("half a sentence", OPEN, "The capital of", True, False),
    ("between blocks", OPEN + block_stop(0), "The capital of", True, False),
    ("thinking is over", CLAUDE + THINK + block_stop(0), "", True, False),
    ("thinking", CLAUDE + THINK, "", False, False),
    ("a tool call", CLAUDE + TOOL + JSON, "", False, False),
    ("a tool call is over", CLAUDE + TOOL + block_stop(0), "", False, False),
    ("an unknown block", CLAUDE + THINK.replace(b'"thinking"', b'"future"'), "", False, False),
    ("only the goodbye is missing", OPEN + block_stop(0) + DELTA, "The capital of", True, True),
]


@pytest.mark.parametrize(("why", "events", "text", "joinable", "finished"), BROKEN, ids=[case[0] for case in BROKEN])
def test_what_had_been_said(why: str, events: bytes, text: str, joinable: bool, finished: bool) -> None:
    """Text, what was under way and a reached end are read from the events that were passed on."""
    broken = PartialMessage(events)
    assert (broken.text, broken.joinable, broken.finished) == (text, joinable, finished)


REST: list[tuple[str, bytes]] = [
    ("text", BEGIN + PING + start(0) + text_delta(0, " France") + block_stop(0) + DELTA + STOP),
    ("nothing", BEGIN + PING + DELTA + STOP),
    ("words in the start", BEGIN + start(0).replace(b'"text":""', b'"text":" France"') + block_stop(0) + DELTA + STOP),
    (
        "two blocks",
        BEGIN + start(0) + block_stop(0) + start(1) + text_delta(1, " France") + block_stop(1) + DELTA + STOP,
    ),
]


@pytest.mark.parametrize("line", [True, False])
@pytest.mark.parametrize(("rest", "local"), REST, ids=[case[0] for case in REST])
@pytest.mark.parametrize(
    ("said", "events"), [(case[0], case[1]) for case in BROKEN if case[3] and not case[4]], ids=lambda case: case
)
def test_another_brain_goes_on(said: str, events: bytes, rest: str, local: bytes, line: bool) -> None:
    """Whatever had come and whatever comes: one well-ordered message, all words in their order, the line between."""
    broken = PartialMessage(events)
    joined = events + (broken.line("small", "[line]") if line else b"")
    joined += b"".join(broken.join(raw) for raw in local.split(b"\n\n")[:-1])
    spoken = "".join(text for text in words(joined) if text != "tool")
    assert spoken == broken.text + ("[line]" if line else "") + (" France" if b"France" in local else "")
    assert [e["usage"] for e in read(joined) if e["type"] == "message_delta"] == [{"output_tokens": 3}]


def test_the_open_block_goes_on() -> None:
    """Words after the break are in the same block as the words before it."""
    broken = PartialMessage(OPEN)
    joined = (
        OPEN + broken.line("small", "[line]") + b"".join(broken.join(raw) for raw in REST[0][1].split(b"\n\n")[:-1])
    )
    assert words(joined) == ["The capital of[line] France"]


def test_a_finished_message_lacks_only_its_goodbye() -> None:
    """All had been said."""
    events = OPEN + block_stop(0) + DELTA
    assert words(events + PartialMessage(events).ending()) == ["The capital of"]


def test_the_continuation_holds_the_conversation_and_the_partial_answer() -> None:
    """Same request, with the answer so far as the last message, streamed, without tools and thinking."""
    messages = [{"role": "user", "content": "hi"}]
    body = {"messages": messages, "system": "s", "tools": [{}], "tool_choice": {}, "thinking": {"type": "enabled"}}
    assert orjson.loads(PartialMessage(OPEN).continuation(body)) == {
        "messages": [*messages, {"role": "assistant", "content": "The capital of"}],
        "system": "s",
        "stream": True,
    }
    assert orjson.loads(PartialMessage(CLAUDE).continuation(body))["messages"] == messages, "no empty message"


ERRORS: list[tuple[str, dict[str, Any], str, bool]] = [
    # why it exists, the error, its reason, whether clients get it as it is
    ("the adapter's", {"type": "api_error", "message": "m", "reason": "stall"}, "stall", False),
    ("Anthropic's", {"type": "overloaded_error", "message": "m"}, "overloaded", True),
    ("an unknown type", {"type": "future_error", "message": "m"}, "server_error", True),
]


@pytest.mark.parametrize(("why", "error", "reason", "kept"), ERRORS, ids=[case[0] for case in ERRORS])
def test_an_error_event_names_the_reason(why: str, error: dict[str, Any], reason: str, kept: bool) -> None:
    """claude-adapter's own name it, Anthropic's have a type and may go on unchanged."""
    raw = event({"type": "error", "error": error})
    assert Messages().reason_of(raw + b"rest") == reason
    assert Messages().upstream_error(raw + b"rest") == (raw if kept else None)


UNARY: list[tuple[str, list[Json], list[str] | None]] = [
    ("text", [{"type": "text", "text": "Hi"}], ["Note.\n\nHi"]),
    ("text and a call", [{"type": "text", "text": "Hi"}, {"type": "tool_use"}], ["Note.\n\nHi", "tool"]),
    ("a bare call", [{"type": "tool_use"}], None),
    ("nothing", [], ["Note."]),
]


@pytest.mark.parametrize(("why", "blocks", "seen"), UNARY, ids=[case[0] for case in UNARY])
def test_the_notice_is_the_first_paragraph_of_a_message(why: str, blocks: list[Json], seen: list[str] | None) -> None:
    """In a unary answer; a bare tool call is not spoken over."""
    told = put_in_front({"content": blocks}, "Note.")
    assert (told and [block.get("text", "tool") for block in told["content"]]) == seen


@pytest.mark.parametrize(
    "stop",
    [
        STOP,
        b'event:message_stop\ndata:{"type":"message_stop"}\n\n',
        b'data: {"type": "message_stop"}\n\n',
        b": last\nid: 9\nevent: message_stop\ndata: {}\n\n",
    ],
)
def test_the_end_is_known_however_it_is_written(stop: bytes) -> None:
    """With the space and without, and where a relay leaves the event's name out; a word about it is no end."""
    said = event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "message_stop"}})
    assert Messages().has_ended(bytearray(said + stop))
    assert not Messages().has_ended(bytearray(said))
