"""Rescue: a Claude answer that broke off is gone on with by the local model, in the same stream of chunks.

Pure: what had been said, what to ask the local model, and how its events join the stream they continue.
"""

from typing import Any

import orjson

Json = dict[str, Any]

# Said where the answer broke, in mid-sentence; taken out of histories whole, so that the sentence closes again.
RESCUE_LINE = "\n[My connection to Claude broke off here; my smaller brain goes on.]\n"

DONE_EVENT = b"data: [DONE]"


class BrokenChat:
    """A stream of Chat Completions chunks that broke, read from the whole events that were passed on."""

    def __init__(self, events: bytes) -> None:
        text: list[str] = []
        self._opening: Json | None = None  # one of its chunks; None when nothing had come
        self.finished = False
        self._called = False
        for event in events.split(b"\n\n"):
            if not event.startswith(b"data: {"):
                continue
            chunk = orjson.loads(event.removeprefix(b"data: "))
            self._opening = self._opening or chunk
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

    def goodbye(self) -> bytes:
        """The end marker."""
        return DONE_EVENT + b"\n\n"

    def continuation(self, body: Json) -> bytes:
        """The request for the local model: the conversation, the answer as far as it had come, and no tools."""
        without_tools = {name: value for name, value in body.items() if name not in ("tools", "tool_choice")}
        said = {"role": "assistant", "content": self.text}
        return orjson.dumps({**without_tools, "messages": [*body["messages"], said], "stream": True})

    def line(self, model: str, line: str) -> bytes:
        """What tells the reader, as a chunk of the stream that broke."""
        return _event({**self._head(model), "choices": [_choice({"content": line})]})

    def join(self, event: bytes) -> bytes:
        """One event of the continuation with the id of the stream it continues; the role is not said again."""
        if not event.startswith(b"data: {"):
            return event + b"\n\n"
        chunk = orjson.loads(event.removeprefix(b"data: "))
        for choice in chunk.get("choices", ()):
            choice.get("delta", {}).pop("role", None)
        return _event({**chunk, **self._head(chunk.get("model", ""))})

    def _head(self, model: str) -> Json:
        opening = self._opening or {}
        names = ("id", "object", "created")
        return {name: opening[name] for name in names if name in opening} | {"model": model}


def _choice(delta: Json) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}


def _event(chunk: Json) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
