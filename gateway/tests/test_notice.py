"""What is added to a local answer, and where."""

from typing import Any

import orjson
import pytest

from gateway.dialects import sse
from gateway.dialects.chat_completions.dialect import ChatCompletions, put_in_front
from gateway.dialects.chat_completions.stream import notice_event
from gateway.dialects.interface import Dialect
from gateway.dialects.mark import MarkPlace
from gateway.dialects.messages.dialect import CountTokens, Messages
from gateway.relay.conversation import ConversationReader
from gateway.relay.notice import Wording
from gateway.settings import DEFAULT_NOTICE as NOTICE

Json = dict[str, Any]

ADDITIONS: list[tuple[str, Any, str, bool, str | None]] = [
    # why it exists, policy, mark, whether the answer before shows that the local model wrote it, what is added
    ("the first of an outage", "transition", "🕯", False, "notice"),
    ("a later one", "transition", "🕯", True, "mark"),
    ("a later one without marks", "transition", "", True, None),
    ("always", "always", "🕯", True, "notice"),
    ("never, first", "never", "🕯", False, "mark"),
    ("never, without marks", "never", "", False, None),
]


@pytest.mark.parametrize(("why", "policy", "mark", "told", "added"), ADDITIONS, ids=[case[0] for case in ADDITIONS])
def test_what_is_added(why: str, policy: Any, mark: str, told: bool, added: str | None) -> None:
    """The notice once in an outage, the mark to each later answer."""
    reader = ConversationReader((NOTICE,), "", (mark,))
    assert Wording(NOTICE, mark, policy, label=True, reader=reader).addition(told=told) == added


def test_the_notice_is_the_first_paragraph() -> None:
    """In a unary answer."""
    completion = {"choices": [{"message": {"role": "assistant", "content": "Hello."}}]}
    told = put_in_front(completion, NOTICE)
    assert told is not None
    assert told["choices"][0]["message"]["content"] == f"{NOTICE}\n\nHello."


def test_a_tool_call_is_not_spoken_over() -> None:
    """A tool-call-only answer stays as it is."""
    assert put_in_front({"choices": [{"message": {"content": None, "tool_calls": [{}]}}]}, NOTICE) is None


def test_the_notice_in_a_stream_is_a_chunk_like_its_first() -> None:
    """Same id, model and time as the stream's own chunks, and a text delta."""
    first = {"id": "chatcmpl-1", "created": 5, "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
    event = notice_event(b"data: " + orjson.dumps(first) + b"\n\n", NOTICE)
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    chunk = orjson.loads(event[6:])
    assert {key: chunk[key] for key in ("id", "created", "model")} == {"id": "chatcmpl-1", "created": 5, "model": "m"}
    assert chunk["choices"][0]["delta"] == {"content": f"{NOTICE}\n\n"}
    assert chunk["choices"][0]["finish_reason"] is None


@pytest.mark.parametrize(
    ("pieces", "marked"),
    [
        (["Hello."], "Hello. 🕯"),
        (["Hel", "lo."], "Hello. 🕯"),
        (["```\ncode\n", "``", "`"], "```\ncode\n```\n🕯"),
        (["~~~\ncode\n~~~"], "~~~\ncode\n~~~\n🕯"),
        (["See ``` there"], "See ``` there 🕯"),
        (["```\ncode\n```\n"], "```\ncode\n```\n 🕯"),
        ([], ""),
        ([" ", "\n"], " \n"),
    ],
)
def test_where_the_mark_goes(pieces: list[str], marked: str) -> None:
    """Behind a space; on a line of its own where it would keep a code block open; not behind nothing."""
    place = MarkPlace("🕯")
    for piece in pieces:
        place.said(piece)
    assert "".join(pieces) + place.take() == marked
    assert place.take() == ""


WHOLE: list[tuple[str, Dialect, Json, Json | None]] = [
    # why it exists, dialect, message of the answer or its blocks, the same marked
    ("text", ChatCompletions(), {"content": "Hi."}, {"content": "Hi. 🕯"}),
    ("a bare call", ChatCompletions(), {"content": None, "tool_calls": [{}]}, None),
    (
        "text and a call",
        ChatCompletions(),
        {"content": "I look.", "tool_calls": [{}]},
        {"content": "I look. 🕯", "tool_calls": [{}]},
    ),
    ("nothing", ChatCompletions(), {"content": ""}, None),
    (
        "text",
        Messages(),
        {"content": [{"type": "text", "text": "Hi."}]},
        {"content": [{"type": "text", "text": "Hi. 🕯"}]},
    ),
    ("a bare call", Messages(), {"content": [{"type": "tool_use"}]}, None),
    (
        "text and a call",
        Messages(),
        {"content": [{"type": "text", "text": "I look."}, {"type": "tool_use"}]},
        {"content": [{"type": "text", "text": "I look. 🕯"}, {"type": "tool_use"}]},
    ),
    ("nothing", Messages(), {"content": []}, None),
    ("a number", CountTokens(), {"input_tokens": 5}, None),
]


@pytest.mark.parametrize(("why", "dialect", "message", "marked"), WHOLE, ids=[f"{c[1].name}-{c[0]}" for c in WHOLE])
def test_the_mark_in_a_whole_answer(why: str, dialect: Dialect, message: Json, marked: Json | None) -> None:
    """At the end of its text, and not with a tool call alone."""

    def answer(of: Json) -> Json:
        return {"choices": [{"message": of}]} if isinstance(dialect, ChatCompletions) else of

    assert dialect.with_mark(answer(message), "🕯") == (answer(marked) if marked else None)


def chunk(delta: Json, finish_reason: str | None = None, **more: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c", "created": 1, "model": "m", "choices": [choice], **more}


CALL = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}

CHUNKS: list[tuple[str, list[Json], list[tuple[str, str | None]]]] = [
    # why it exists, chunks, what each of those that go on says (`call` for a call) and its finish_reason
    (
        "text",
        [chunk({"role": "assistant", "content": ""}), chunk({"content": "Hi."}), chunk({}, "stop")],
        [("", None), ("Hi.", None), (" 🕯", None), ("", "stop")],
    ),
    (
        "cut by length",
        [chunk({"content": "The cap"}), chunk({}, "length")],
        [("The cap", None), (" 🕯", None), ("", "length")],
    ),
    ("words in the last one", [chunk({"content": "Hi."}, "stop")], [("Hi. 🕯", None), ("", "stop")]),
    ("a bare call", [chunk(CALL), chunk({}, "tool_calls")], [("call", None), ("", "tool_calls")]),
    (
        "text and a call",
        [chunk({"content": "I look."}), chunk(CALL), chunk({}, "tool_calls")],
        [("I look.", None), (" 🕯", None), ("call", None), ("", "tool_calls")],
    ),
    ("nothing", [chunk({"role": "assistant"}), chunk({}, "stop")], [("", None), ("", "stop")]),
    (
        "usage in the last one",
        [chunk({"content": "Hi."}), chunk({}, "stop", usage={})],
        [("Hi.", None), (" 🕯", None), ("", "stop")],
    ),
]


@pytest.mark.parametrize(("why", "chunks", "said"), CHUNKS, ids=[case[0] for case in CHUNKS])
def test_the_mark_in_a_stream_of_chunks(why: str, chunks: list[Json], said: list[tuple[str, str | None]]) -> None:
    """A chunk like the others, before the call and before the finish; comments and the end pass."""
    stream = ChatCompletions().mark_stream("🕯")
    events = [b"data: " + orjson.dumps(c) + b"\n\n" for c in chunks]
    passed = b"".join(stream.feed(event) for event in [b": reading\n\n", *events, b"data: [DONE]\n\n"])
    first, *middle, last = sse.split(passed)
    assert (first, last) == (b": reading", b"data: [DONE]")
    choices = [sse.document(event)["choices"][0] for event in middle]
    assert [
        ("call" if "tool_calls" in c["delta"] else c["delta"].get("content") or "", c["finish_reason"]) for c in choices
    ] == said
    assert {sse.document(event)["id"] for event in middle} == {"c"}
    assert sum("usage" in sse.document(event) for event in middle) == (why == "usage in the last one")


def block(index: int, kind: str, *deltas: Json) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": kind}},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(words: str) -> Json:
    return {"type": "text_delta", "text": words}


ARGUMENTS = {"type": "input_json_delta", "partial_json": "{}"}

BLOCKS: list[tuple[str, list[Json], list[Json]]] = [
    # why it exists, events between message_start and message_delta, the same marked
    ("text", block(0, "text", text("Hi.")), block(0, "text", text("Hi."), text(" 🕯"))),
    (
        "a bare call",
        block(0, "tool_use", ARGUMENTS),
        block(0, "tool_use", ARGUMENTS),
    ),
    (
        "text and a call",
        block(0, "text", text("I look.")) + block(1, "tool_use"),
        block(0, "text", text("I look."), text(" 🕯")) + block(1, "tool_use"),
    ),
    (
        "thoughts first",
        block(0, "thinking", {"type": "thinking_delta", "thinking": "Hm"}) + block(1, "text", text("Hi.")),
        block(0, "thinking", {"type": "thinking_delta", "thinking": "Hm"}) + block(1, "text", text("Hi."), text(" 🕯")),
    ),
    ("nothing", [], []),
]


@pytest.mark.parametrize(("why", "blocks", "marked"), BLOCKS, ids=[case[0] for case in BLOCKS])
def test_the_mark_in_a_stream_of_blocks(why: str, blocks: list[Json], marked: list[Json]) -> None:
    """The last delta of the text block, whose order is kept."""
    around = [{"type": "message_start"}, {"type": "ping"}], [{"type": "message_delta"}, {"type": "message_stop"}]
    stream = Messages().mark_stream("🕯")
    passed = b"".join(
        stream.feed(b"event: " + event["type"].encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n")
        for event in around[0] + blocks + around[1]
    )
    assert [sse.document(event) for event in sse.split(passed)] == around[0] + marked + around[1]
