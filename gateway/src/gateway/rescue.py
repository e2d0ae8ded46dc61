"""Rescue: a Claude answer that broke off is gone on with by the local model, in the same stream.

Pure: what had been said, what to ask the local model, and how its events join the stream they continue.
"""

from dataclasses import dataclass
from typing import Any

import orjson

Json = dict[str, Any]

# Said where the answer broke, in mid-sentence; taken out of histories whole, so that the sentence closes again.
RESCUE_LINE = "\n[My connection to Claude broke off here; my smaller brain goes on.]\n"

# claude-adapter ends a broken stream with one such event and without [DONE].
ERROR_EVENT = b'data: {"error"'
DONE_EVENT = b"data: [DONE]"


@dataclass(frozen=True)
class Partial:
    """What a stream had said when it broke. `opening` is one of its chunks; None when nothing had come."""

    text: str
    opening: Json | None
    tool_call: bool
    finished: bool


def read_partial(events: bytes) -> Partial:
    """Read whole Chat Completions events, as they were passed on."""
    text: list[str] = []
    opening: Json | None = None
    tool_call = finished = False
    for event in events.split(b"\n\n"):
        if not event.startswith(b"data: {"):
            continue
        chunk = orjson.loads(event.removeprefix(b"data: "))
        opening = opening or chunk
        for choice in chunk.get("choices", ()):
            delta = choice.get("delta") or {}
            text.append(delta.get("content") or "")
            tool_call = tool_call or bool(delta.get("tool_calls"))
            finished = finished or choice.get("finish_reason") is not None
    return Partial("".join(text), opening, tool_call, finished)


def reason_of(error_event: bytes) -> str:
    """The reason in claude-adapter's error event; `protocol` when it cannot be read."""
    try:
        code = orjson.loads(error_event.partition(b"\n\n")[0].removeprefix(b"data: "))["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return "protocol"
    return str(code)


def continuation(body: Json, partial: Partial) -> bytes:
    """The request for the local model: the conversation, the answer as far as it had come, and no tools."""
    without_tools = {name: value for name, value in body.items() if name not in ("tools", "tool_choice")}
    said = {"role": "assistant", "content": partial.text}
    return orjson.dumps({**without_tools, "messages": [*body["messages"], said], "stream": True})


def rescue_event(partial: Partial, model: str) -> bytes:
    """The line that tells the reader, as a chunk of the stream that broke."""
    return _event({**_head(partial, model), "choices": [_choice({"content": RESCUE_LINE})]})


def join(event: bytes, partial: Partial) -> bytes:
    """One event of the continuation as an event of the stream it continues: same id, and the role is not said again."""
    if not event.startswith(b"data: {"):
        return event + b"\n\n"
    chunk = orjson.loads(event.removeprefix(b"data: "))
    for choice in chunk.get("choices", ()):
        choice.get("delta", {}).pop("role", None)
    return _event({**chunk, **_head(partial, chunk.get("model", ""))})


def _head(partial: Partial, model: str) -> Json:
    opening = partial.opening or {}
    names = ("id", "object", "created")
    return {name: opening[name] for name in names if name in opening} | {"model": model}


def _choice(delta: Json) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}


def _event(chunk: Json) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
