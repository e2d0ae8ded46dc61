"""The stream of Chat Completions chunks: unnamed events, an error object, `[DONE]` at the end.

Pure: bytes of whole events in, bytes of whole events out.
"""

from typing import Any

import orjson

from gateway.dialects import sse
from gateway.dialects.mark import MarkPlace

Json = dict[str, Any]

DONE_EVENT = b"data: [DONE]"


def event(chunk: Json) -> bytes:
    """A chunk as an event."""
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def notice_event(first_event: bytes, notice: str) -> bytes:
    """The notice as a stream event, made after the stream's own first chunk: same id, created and model."""
    chunk = orjson.loads(sse.data(first_event))
    chunk["choices"] = [_choice({"content": f"{notice}\n\n"})]
    return event(chunk)


class NoticeChunk:
    """A local stream with the notice as a chunk of its own."""

    def __init__(self, notice: str) -> None:
        self._notice = notice
        self._said = False

    def feed(self, events: bytes) -> bytes:
        """As they come, with the notice made after the first chunk."""
        if self._said:
            return events
        passed = b""
        for raw in sse.split(events):
            passed += raw + b"\n\n"
            if not self._said and sse.document(raw):
                self._said = True
                passed += notice_event(raw, self._notice)
        return passed


class MarkChunk:
    """A local stream whose text ends with the mark: a chunk of its own, before tool calls and before the finish."""

    def __init__(self, mark: str) -> None:
        self._place = MarkPlace(mark)

    def feed(self, events: bytes) -> bytes:
        """As they come, with the mark made after the chunk that ends the text."""
        return b"".join(self._event(raw) for raw in sse.split(events))

    def _event(self, raw: bytes) -> bytes:
        chunk = sse.document(raw)
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            self._place.said(delta.get("content") or "")
            ends = choice.get("finish_reason") is not None or delta.get("tool_calls")
            if ends and (mark := self._place.take()):
                last_words = delta.pop("content", None) or ""
                words = {**chunk, "choices": [_choice({"content": last_words + mark})]}
                words.pop("usage", None)  # once is enough
                return event(words) + event(chunk)
        return raw + b"\n\n"


class PartialChat:
    """A stream of chunks that broke, read from the whole events that were passed on."""

    def __init__(self, events: bytes) -> None:
        text: list[str] = []
        self._opening: Json | None = None  # one of its chunks; None when nothing had come
        self.finished = False
        self._called = False
        for raw in sse.split(events):
            chunk = sse.document(raw)
            self._opening = self._opening or chunk or None
            for choice in chunk.get("choices", ()):
                delta = choice.get("delta") or {}
                text.append(delta.get("content") or "")
                self._called = self._called or bool(delta.get("tool_calls"))
                self.finished = self.finished or choice.get("finish_reason") is not None
        self.text = "".join(text)

    @property
    def joinable(self) -> bool:
        """Not when the client is to run a tool."""
        return not self._called

    def ending(self) -> bytes:
        """The end marker."""
        return DONE_EVENT + b"\n\n"

    def continuation(self, body: Json) -> bytes:
        """The request for the local model: the conversation, the answer as far as it had come, and no tools."""
        without_tools = {name: value for name, value in body.items() if name not in ("tools", "tool_choice")}
        said = {"role": "assistant", "content": self.text}
        return orjson.dumps({**without_tools, "messages": [*body["messages"], said], "stream": True})

    def line(self, model: str, line: str) -> bytes:
        """What tells the reader, as a chunk of the stream that broke."""
        return event({**self._head(model), "choices": [_choice({"content": line})]})

    def join(self, raw: bytes) -> bytes:
        """One event of the continuation with the id of the stream it continues; the role is not said again."""
        chunk = sse.document(raw)
        if not chunk:
            return raw + b"\n\n"
        for choice in chunk.get("choices", ()):
            choice.get("delta", {}).pop("role", None)
        return event({**chunk, **self._head(chunk.get("model", ""))})

    def _head(self, model: str) -> Json:
        opening = self._opening or {}
        names = ("id", "object", "created")
        return {name: opening[name] for name in names if name in opening} | {"model": model}


def _choice(delta: Json) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
