"""Messages events become Chat Completions replies, whole or in chunks; both tell the same story."""

from typing import Any

import orjson
import pytest

from claude_adapter.translation.chunks import ChunkedReply
from claude_adapter.translation.reply import WholeReply

Event = dict[str, Any]


def start(**usage: int) -> Event:
    return {"type": "message_start", "message": {"model": "claude-true", "usage": {"input_tokens": 5, **usage}}}


def block(index: int, **content: Any) -> Event:
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index: int, kind: str, **fields: str) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def end(reason: str, tokens: int = 9) -> list[Event]:
    counted = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": tokens}}
    return [counted, {"type": "message_stop"}]


TEXT = [
    start(cache_read_input_tokens=3, cache_creation_input_tokens=2),
    {"type": "ping"},
    block(0, type="text", text=""),
    delta(0, "text_delta", text="né "),
    delta(0, "text_delta", text='🙂"\n'),
    stop(0),
    *end("end_turn"),
]
TOOLS = [
    start(),
    block(0, type="thinking", thinking=""),
    delta(0, "thinking_delta", thinking="hm"),
    delta(0, "signature_delta", signature="s"),
    stop(0),
    block(1, type="tool_use", id="t1", name="f", input={}),
    delta(1, "input_json_delta", partial_json=""),
    delta(1, "input_json_delta", partial_json='{"a":'),
    delta(1, "input_json_delta", partial_json=" 1}"),
    stop(1),
    block(2, type="tool_use", id="t2", name="g", input={}),
    stop(2),
    {"type": "something_new"},
    *end("tool_use"),
]


def whole(events: list[Event]) -> dict[str, Any]:
    reply = WholeReply("chatcmpl-1", 1000, "claude-asked")
    for event in events:
        assert reply.feed(event) == b""
    assert reply.ended
    body: dict[str, Any] = orjson.loads(reply.body())
    return body


def chunks(events: list[Event], *, include_usage: bool = False) -> list[dict[str, Any]]:
    reply = ChunkedReply("chatcmpl-1", 1000, "claude-asked", include_usage=include_usage)
    sent = b"".join(reply.feed(event) for event in events)
    *lines, done, empty = sent.split(b"\n\n")
    assert (done, empty) == (b"data: [DONE]", b"")
    return [orjson.loads(line.removeprefix(b"data: ")) for line in lines]


def test_whole_text() -> None:
    """Texts are joined, tokens counted with the cached ones, the model is the one that answered."""
    assert whole(TEXT) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1000,
        "model": "claude-true",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": 'né 🙂"\n', "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 9,
            "total_tokens": 19,
            "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def test_whole_tool_calls() -> None:
    """Tool calls carry their arguments as a string, `{}` when there are none; content is null without text."""
    message = whole(TOOLS)["choices"][0]["message"]
    assert message["content"] is None
    assert message["reasoning_content"] == "hm"
    assert message["tool_calls"] == [
        {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "t2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_finish_reason(reason: str, expected: str) -> None:
    """Every stop reason has a finish reason, also one that we do not know yet."""
    events = [*TEXT[:-2], *end(reason)]
    assert whole(events)["choices"][0]["finish_reason"] == expected
    assert chunks(events)[-1]["choices"][0]["finish_reason"] == expected


def test_chunks_of_text() -> None:
    """The role comes first, each delta as it is, the finish reason last; every chunk names the true model."""
    got = chunks(TEXT)
    deltas = [chunk["choices"][0]["delta"] for chunk in got]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "né "}, {"content": '🙂"\n'}, {}]
    assert [chunk["choices"][0]["finish_reason"] for chunk in got] == [None, None, None, "stop"]
    for chunk in got:
        assert (chunk["id"], chunk["object"], chunk["created"], chunk["model"]) == (
            "chatcmpl-1",
            "chat.completion.chunk",
            1000,
            "claude-true",
        )
        assert "usage" not in chunk


def test_chunks_of_tool_calls() -> None:
    """Tool calls count from 0, arguments come as they arrive and join to valid JSON, also when there are none."""
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks(TOOLS):
        for call in chunk["choices"][0]["delta"].get("tool_calls", ()):
            known = calls.setdefault(call["index"], {"id": call.get("id"), "arguments": ""})
            known["arguments"] += call["function"]["arguments"]
    assert calls == {0: {"id": "t1", "arguments": '{"a": 1}'}, 1: {"id": "t2", "arguments": "{}"}}


def test_usage_chunk() -> None:
    """When asked for, the last chunk has the counts and no choices; the others say null."""
    got = chunks(TEXT, include_usage=True)
    assert got[-1]["choices"] == []
    assert got[-1]["usage"] == whole(TEXT)["usage"]
    assert all(chunk["usage"] is None for chunk in got[:-1])


@pytest.mark.parametrize(
    ("begun", "ended", "expected"),
    [
        ({"input_tokens": 5, "output_tokens": 1}, {"output_tokens": 9}, (5, 9, 0, 0, 0)),
        ({"input_tokens": 5, "cache_read_input_tokens": 90}, {"output_tokens": 9}, (95, 9, 90, 0, 0)),
        ({"input_tokens": 5, "cache_creation_input_tokens": 40}, {"output_tokens": 9}, (45, 9, 0, 40, 0)),
        ({"input_tokens": 5, "cache_read_input_tokens": None}, {"output_tokens": 9}, (5, 9, 0, 0, 0)),
        # the last event's totals count, where it has them
        ({"input_tokens": 5}, {"input_tokens": 7, "cache_read_input_tokens": 2, "output_tokens": 9}, (9, 9, 2, 0, 0)),
        (
            {"input_tokens": 5},
            {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 6}},
            (5, 9, 0, 0, 6),
        ),
        ({"input_tokens": 5, "output_tokens": 1}, {}, (5, 1, 0, 0, 0)),
    ],
)
def test_usage(begun: dict[str, Any], ended: dict[str, Any], expected: tuple[int, ...]) -> None:
    """What was read from or written to the cache is part of the prompt, as thinking is part of the completion."""
    events = [{"type": "message_start", "message": {"usage": begun}}, *TEXT[2:-2], *end("end_turn")]
    events[-2]["usage"] = ended
    usage = whole(events)["usage"]
    prompt, completion, cached, stored, reasoning = expected
    assert usage == {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": stored},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    assert chunks(events, include_usage=True)[-1]["usage"] == usage


def test_arguments_are_sent_as_they_arrive() -> None:
    """Each piece of a tool call goes out with the event that brought it, between the pieces of other calls."""
    reply = ChunkedReply("x", 1, "m", include_usage=False)
    sent = [reply.feed(event) for event in TOOLS]
    pieces = [part for part in sent if b'"arguments"' in part]
    assert [part.count(b"data: ") for part in pieces] == [1] * 5  # two names, two pieces, and the empty call's {}
    assert orjson.dumps('{"a":') in sent[7]
    assert sent[6] == b""  # an empty piece is none
    assert orjson.dumps("{}") in sent[11]


def test_content_begins() -> None:
    """A ping and the start of a text block are not content yet; a delta, a tool call or the end are."""
    reply = ChunkedReply("x", 1, "m", include_usage=False)
    for event in TEXT[:3]:
        reply.feed(event)
        assert not reply.has_content
    reply.feed(TEXT[3])
    assert reply.has_content
    for event in (TOOLS[5], end("refusal")[0]):
        reply = ChunkedReply("x", 1, "m", include_usage=False)
        reply.feed(event)
        assert reply.has_content


def test_empty_reply() -> None:
    """A reply without any content is still a proper reply."""
    events = [start(), *end("refusal", 0)]
    assert whole(events)["choices"][0]["message"]["content"] == ""
    assert [chunk["choices"][0]["delta"] for chunk in chunks(events)] == [{"role": "assistant", "content": ""}, {}]


def test_done_comes_once() -> None:
    """A second end is not sent on."""
    reply = ChunkedReply("x", 1, "m", include_usage=False)
    sent = b"".join(reply.feed(event) for event in [*TEXT, {"type": "message_stop"}])
    assert sent.count(b"[DONE]") == 1


@pytest.mark.parametrize("pieces", [['{"input": "*** Be', 'gin\\nPatch"}'], ['{"input": "*** Be'], []])
def test_a_custom_tool_is_called_with_its_text(pieces: list[str]) -> None:
    """As it was asked for: free text, whole or as far as it came, and the same in chunks."""
    block = {"type": "tool_use", "id": "t1", "name": "patch", "input": {}}
    events: list[Event] = [
        {"type": "message_start", "message": {}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        *end("tool_use"),
    ]
    reply = WholeReply("chatcmpl-1", 1000, "claude-asked", custom={"patch"})
    chunked = ChunkedReply("chatcmpl-1", 1000, "claude-asked", include_usage=False, custom={"patch"})
    sent = b"".join(chunked.feed(event) for event in events if reply.feed(event) == b"")
    text = {2: "*** Begin\nPatch", 1: '{"input": "*** Be', 0: "{}"}[len(pieces)]
    call = {"id": "t1", "type": "custom", "custom": {"name": "patch", "input": text}}
    assert orjson.loads(reply.body())["choices"][0]["message"]["tool_calls"] == [call]
    deltas = [
        each
        for line in sent.split(b"\n\n")[:-2]
        for each in orjson.loads(line.removeprefix(b"data: "))["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert deltas[0] == {"index": 0, **call, "custom": {"name": "patch", "input": ""}}
    assert "".join(each["custom"]["input"] for each in deltas) == text
