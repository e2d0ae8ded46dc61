"""A Messages stream on its way through: its bytes stay, and are looked at only as much as the stall timer needs.

Pure. Most events are deltas, which are known by their first bytes; only the few others are parsed.
"""

from typing import Any

import orjson

from claude_adapter.upstream.sse import SseSplitter, data_of, name_of

Json = dict[str, Any]

_DELTA = b"event: content_block_delta\n"
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class RelayedStream:
    """Feed it reads, get back whole events.

    `started` turns true with the first event that shows Claude at work on its answer, `ended` with the last one;
    `progress` tells whether the last read held any content (pings are none); `thinking` whether a thinking
    block is open; `error` is the event that broke it off.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.started = False
        self.ended = False
        self.progress = False
        self.thinking = False
        self.error: Json | None = None
        self.error_event = b""
        self._stop_reason_seen = False
        self._usage: Json = {}
        self._splitter = SseSplitter()

    def feed(self, read: bytes) -> bytes:
        """The events that `read` completes, up to an `error`. Raises `ValueError` for what is no Messages stream."""
        self.progress = False
        whole = b""
        for event in self._splitter.feed(read):
            if event.startswith(_DELTA):
                self.started = self.progress = True
            else:
                self._read(event)
                if self.error is not None:
                    self.error_event = event + b"\n\n"
                    break
            whole += event + b"\n\n"
        return whole

    def finish(self) -> bytes | None:
        """What is missing at the end of the connection: nothing, its last event, or None when more is missing."""
        if self.ended:
            return b""
        self.ended = self._stop_reason_seen
        return _MESSAGE_STOP if self._stop_reason_seen else None

    @property
    def input_tokens(self) -> int:
        """All tokens that were read, from the cache or not."""
        return input_tokens(self._usage)

    @property
    def output_tokens(self) -> int:
        """Tokens written so far, as last reported."""
        return output_tokens(self._usage)

    def _read(self, event: bytes) -> None:
        data = data_of(event)
        if not data:
            return  # a comment
        document = orjson.loads(data)
        if not isinstance(document, dict):
            raise ValueError("an event that is no JSON object")  # wrong data, not a wrong type in our code
        match document.get("type") or name_of(event):
            case "message_start":
                message = document.get("message") or {}
                self.model = str(message.get("model") or self.model)
                self._usage.update(message.get("usage") or {})
            case "content_block_start":
                # An empty text block is no word yet; thinking may now be silent for minutes, with only pings to pass.
                block = document.get("content_block") or {}
                self.thinking = block.get("type") in ("thinking", "redacted_thinking")
                if block.get("type") != "text" or block.get("text"):
                    self.started = self.progress = True
            case "content_block_stop":
                self.thinking = False
            case "content_block_delta":
                self.started = self.progress = True
            case "message_delta":
                self.started = self.progress = True
                self._stop_reason_seen = bool((document.get("delta") or {}).get("stop_reason"))
                self._usage.update(document.get("usage") or {})
            case "message_stop":
                self.started = self.progress = self.ended = True
            case "error":
                self.error = document


def input_tokens(usage: Json) -> int:
    """All tokens that were read, by Anthropic's `usage`: from the cache or not."""
    return sum(
        _count(usage, name) for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    )


def output_tokens(usage: Json) -> int:
    """The tokens that were written, by Anthropic's `usage`."""
    return _count(usage, "output_tokens")


def _count(usage: Json, name: str) -> int:
    count = usage.get(name)
    return count if isinstance(count, int) else 0
