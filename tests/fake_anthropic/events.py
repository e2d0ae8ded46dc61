"""An answer as bytes: one JSON body, or server-sent events in the order the real API keeps."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from .answer import SIGNATURE, Answer, Block

PING = b'event: ping\ndata: {"type": "ping"}\n\n'


class Step(NamedTuple):
    """What is written at once: one content delta, with the block boundary before it where there is one."""

    data: bytes
    events: int
    tokens: int


class Stream(NamedTuple):
    opening: Step  # message_start and the first ping
    steps: list[Step]  # one per content delta
    ending: Step  # the last block's stop, message_delta, message_stop


def _event(name: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps({"type": name, **fields}))


def error_event(body: bytes) -> bytes:
    """The in-stream `error` event for an error body."""
    return b"event: error\ndata: %b\n\n" % body


def _usage(answer: Answer, output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": answer.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output_tokens,
        "service_tier": "standard",
    }


def _message(answer: Answer, message_id: str, output_tokens: int) -> dict[str, Any]:
    return {
        "model": answer.model,
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": _usage(answer, output_tokens),
    }


def unary(answer: Answer, message_id: str) -> bytes:
    """The body of a unary answer."""
    message = _message(answer, message_id, answer.output_tokens)
    message["content"] = [_finished_block(block) for block in answer.blocks]
    message["stop_reason"] = answer.stop_reason
    message["stop_sequence"] = answer.stop_sequence
    if answer.thinking_tokens:
        message["usage"]["output_tokens_details"] = {"thinking_tokens": answer.thinking_tokens}
    return orjson.dumps(message)


def stream(answer: Answer, message_id: str) -> Stream:
    """The events of a streamed answer, ready to be written."""
    opening = _event("message_start", message=_message(answer, message_id, 1)) + PING
    steps: list[Step] = []
    boundary, boundary_events = b"", 0  # block starts and stops wait here for the next delta
    for index, block in enumerate(answer.blocks):
        boundary += _event("content_block_start", index=index, content_block=_empty_block(block))
        boundary_events += 1
        deltas = _deltas(index, block)
        whole, rest = divmod(block.tokens, max(1, len(deltas)))
        for position, delta in enumerate(deltas):
            steps.append(Step(boundary + delta, boundary_events + 1, whole + (position < rest)))
            boundary, boundary_events = b"", 0
        boundary += _event("content_block_stop", index=index)
        boundary_events += 1
    usage: dict[str, Any] = {
        "input_tokens": answer.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": answer.output_tokens,
    }
    if answer.thinking_tokens:
        usage["output_tokens_details"] = {"thinking_tokens": answer.thinking_tokens}
    stop = {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence, "stop_details": None}
    ending = boundary + _event("message_delta", delta=stop, usage=usage) + _event("message_stop")
    return Stream(Step(opening, 2, 0), steps, Step(ending, boundary_events + 2, 0))


_DELTA_TYPES = {
    "text": (b"text_delta", b"text"),
    "thinking": (b"thinking_delta", b"thinking"),
    "tool_use": (b"input_json_delta", b"partial_json"),
}


def _deltas(index: int, block: Block) -> list[bytes]:
    # Put together by hand: with a hundred deltas a stream, building a dict for each is most of the work.
    delta_type, name = _DELTA_TYPES[block.kind]
    head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"' % index
    text_head = b'%b%b","%b":' % (head, delta_type, name)
    dumps = orjson.dumps
    deltas = [b"%b%b}}\n\n" % (text_head, dumps(piece)) for piece in block.pieces]
    if block.kind == "tool_use":  # the real API opens with an empty one
        deltas.insert(0, text_head + b'""}}\n\n')
    elif block.kind == "thinking":
        deltas.append(b'%bsignature_delta","signature":%b}}\n\n' % (head, dumps(SIGNATURE)))
    return deltas


def _empty_block(block: Block) -> dict[str, Any]:
    if block.kind == "tool_use":
        return {"type": "tool_use", "id": block.tool_id, "name": block.tool_name, "input": {}}
    if block.kind == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "text", "text": ""}


def _finished_block(block: Block) -> dict[str, Any]:
    if block.kind == "tool_use":
        return {"type": "tool_use", "id": block.tool_id, "name": block.tool_name, "input": block.tool_input}
    if block.kind == "thinking":
        return {"type": "thinking", "thinking": "".join(block.pieces), "signature": SIGNATURE}
    return {"type": "text", "text": "".join(block.pieces)}
