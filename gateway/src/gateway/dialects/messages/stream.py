"""The Messages stream's strict order, kept where the gateway adds to a stream or joins two.

`message_start` is first, a block's index is its position, blocks do not overlap, `message_delta` tells
`usage.output_tokens`. Pure: bytes of whole events in, bytes of whole events out.
"""

from typing import Any

import orjson

from gateway.dialects import sse
from gateway.dialects.mark import MarkPlace

Json = dict[str, Any]

_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
# What the local model cannot take over from Claude's request: it goes on with words.
_NOT_FOR_THE_CONTINUATION = ("tools", "tool_choice", "thinking", "mcp_servers", "container", "context_management")


def event(document: Json) -> bytes:
    """A named event."""
    return b"event: " + str(document["type"]).encode() + b"\ndata: " + orjson.dumps(document) + b"\n\n"


def text_start(index: int) -> bytes:
    """The start of an empty text block."""
    return event({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}})


def text_delta(index: int, text: str) -> bytes:
    """A piece of a text block."""
    delta = {"type": "text_delta", "text": text}
    return event({"type": "content_block_delta", "index": index, "delta": delta})


def block_stop(index: int) -> bytes:
    """The end of a block."""
    return event({"type": "content_block_stop", "index": index})


class NoticeBlock:
    """A local stream whose first text block begins with the notice.

    The block is opened at once, before prefill; when the model's own first block is text too, it goes on in the open
    one, and from there on the stream passes as it is. Else ours is closed and the others move up by one.
    """

    def __init__(self, notice: str) -> None:
        self._settled = False
        self._notice = notice
        self._first_block_seen = False

    def feed(self, events: bytes) -> bytes:
        """What goes on of the next events."""
        if self._settled:
            return events
        return b"".join(raw + b"\n\n" if self._settled else self._event(raw) for raw in sse.split(events))

    def _event(self, raw: bytes) -> bytes:
        if self._first_block_seen:
            return self._moved_up(raw)
        if sse.name(raw) == b"message_start":  # which nothing may precede
            return raw + b"\n\n" + text_start(0) + text_delta(0, f"{self._notice}\n\n")
        if sse.name(raw) == b"content_block_start":
            return self._first_block(raw)
        if sse.name(raw) == b"message_delta":  # no block at all: the notice is the whole answer
            self._settled = True
            return block_stop(0) + raw + b"\n\n"
        return raw + b"\n\n"

    def _first_block(self, raw: bytes) -> bytes:
        self._first_block_seen = True
        block = sse.document(raw).get("content_block") or {}
        if block.get("type") != "text":
            return block_stop(0) + self._moved_up(raw)
        self._settled = True
        return text_delta(0, block["text"]) if block.get("text") else b""

    def _moved_up(self, raw: bytes) -> bytes:
        document = sse.document(raw)
        if "index" not in document:
            return raw + b"\n\n"
        return event({**document, "index": document["index"] + 1})


class MarkDelta:
    """A local stream each of whose text blocks, and there is one as a rule, ends with the mark."""

    def __init__(self, mark: str) -> None:
        self._place = MarkPlace(mark)

    def feed(self, events: bytes) -> bytes:
        """As they come, with a delta before the end of the block."""
        return b"".join(self._event(raw) for raw in sse.split(events))

    def _event(self, raw: bytes) -> bytes:
        document = sse.document(raw)
        match document.get("type"):
            case "content_block_start":
                self._place.said((document.get("content_block") or {}).get("text") or "")
            case "content_block_delta":
                self._place.said((document.get("delta") or {}).get("text") or "")
            case "content_block_stop" if mark := self._place.take():
                return text_delta(document["index"], mark) + raw + b"\n\n"
        return raw + b"\n\n"


class PartialMessage:
    """A stream of Claude's that broke, read from the whole events that were passed on."""

    def __init__(self, events: bytes) -> None:
        self.finished = False
        self.text = ""
        self._begun = False
        self._blocks = 0  # so many have begun: the next one's index
        self._open: str | None = None  # the type of the last one, until it ends
        self._called = False
        for raw in sse.split(events):
            self._read(sse.document(raw))

    @property
    def joinable(self) -> bool:
        """Not when the client is to run a tool, nor in the middle of anything but text."""
        return not self._called and self._open in (None, "text")

    def ending(self) -> bytes:
        """The last event."""
        return _STOP

    def continuation(self, body: Json) -> bytes:
        """The request for the local model: the conversation, the answer as far as it had come, and no tools."""
        kept = {name: value for name, value in body.items() if name not in _NOT_FOR_THE_CONTINUATION}
        said = [{"role": "assistant", "content": self.text}] if self.text else []
        return orjson.dumps({**kept, "messages": [*body["messages"], *said], "stream": True})

    def line(self, model: str, line: str) -> bytes:
        """What tells the reader, in the text block that is open or in a new one."""
        return self._begin(model) + self._text_block() + text_delta(self._blocks - 1, line)

    def join(self, raw: bytes) -> bytes:
        """One event of the continuation: its words go on in the open block, its beginning is not said again."""
        document = sse.document(raw)
        match document.get("type"):
            case "message_start":
                begun, self._begun = self._begun, True
                return b"" if begun else raw + b"\n\n"
            case "content_block_start":
                block = document.get("content_block") or {}
                if block.get("type") == "text":
                    opened = self._text_block()
                    return opened + (text_delta(self._blocks - 1, block["text"]) if block.get("text") else b"")
                closed = self._close()
                self._blocks += 1
                self._open = str(block.get("type"))
                return closed + event({**document, "index": self._blocks - 1})
            case "content_block_delta":
                return event({**document, "index": self._blocks - 1})
            case "content_block_stop":
                return self._close()
            case "message_delta":
                # Its other counts would replace, in the client's view, what Claude's message_start said.
                output_tokens = (document.get("usage") or {}).get("output_tokens") or 0
                return self._close() + event({**document, "usage": {"output_tokens": output_tokens}})
        return raw + b"\n\n"

    def _read(self, document: Json) -> None:
        match document.get("type"):
            case "message_start":
                self._begun = True
            case "content_block_start":
                block = document.get("content_block") or {}
                self._blocks = document["index"] + 1
                self._open = str(block.get("type"))
                self._called = self._called or self._open == "tool_use"
                if self._open == "text":
                    self.text += block.get("text") or ""
            case "content_block_delta":
                delta = document.get("delta") or {}
                if delta.get("type") == "text_delta":
                    self.text += delta["text"]
            case "content_block_stop":
                self._open = None
            case "message_delta":
                self.finished = bool((document.get("delta") or {}).get("stop_reason"))

    def _begin(self, model: str) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message: Json = {
            "id": "msg_rescued",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        return event({"type": "message_start", "message": message})

    def _text_block(self) -> bytes:
        if self._open == "text":
            return b""
        closed = self._close()
        self._blocks += 1
        self._open = "text"
        return closed + text_start(self._blocks - 1)

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return block_stop(self._blocks - 1)
