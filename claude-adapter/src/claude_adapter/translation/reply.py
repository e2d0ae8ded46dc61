"""Messages events folded into a Chat Completions reply. Pure: events in, dict or bytes out."""

from collections.abc import Container
from typing import Any

import orjson

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class Reply:
    """What any reply gathers on its way, event by event; the subclasses give it its shape.

    `has_content` turns true with the first event that a client could see; `ended` with the last event. `custom` are
    the names of the tools that take free text.
    """

    __slots__ = ("_counts", "_custom", "created", "ended", "has_content", "id", "model", "stop_reason")

    def __init__(self, reply_id: str, created: int, model: str, *, custom: Container[str] = ()) -> None:
        self.id = reply_id
        self.created = created
        self.model = model  # as asked; `message_start` says which it really is
        self.stop_reason: str | None = None
        self.has_content = False
        self.ended = False
        self._counts: dict[str, int] = {}
        self._custom = custom

    def feed(self, event: dict[str, Any]) -> bytes:
        """Take in one event, give back what can be sent for it. Unknown events pass by."""
        match event.get("type"):
            case "content_block_delta":
                self.has_content = True
                return self._delta(event.get("index", 0), event.get("delta") or {})
            case "content_block_start":
                block = event.get("content_block") or {}
                self.has_content = self.has_content or block.get("type") == "tool_use"
                return self._block_start(event.get("index", 0), block)
            case "content_block_stop":
                return self._block_stop(event.get("index", 0))
            case "message_start":
                message = event.get("message") or {}
                self.model = message.get("model") or self.model
                self._count(message.get("usage"))
                return self._start()
            case "message_delta":
                self.has_content = True
                self.stop_reason = (event.get("delta") or {}).get("stop_reason") or self.stop_reason
                self._count(event.get("usage"))
            case "message_stop":
                return self.finish()
        return b""

    def finish(self) -> bytes:
        """The reply is complete: what remains to be sent."""
        self.has_content = self.ended = True
        return b""

    @property
    def finish_reason(self) -> str:
        """Claude's stop reason in OpenAI's words."""
        return _FINISH_REASONS.get(self.stop_reason or "", "stop")

    @property
    def input_tokens(self) -> int:
        """All tokens that were read, from the cache or not."""
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        return sum(self._counts.get(name, 0) for name in names)

    @property
    def output_tokens(self) -> int:
        """Tokens written so far, as last reported."""
        return self._counts.get("output_tokens", 0)

    @property
    def usage(self) -> dict[str, Any]:
        """Token counts in OpenAI's shape."""
        return {
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
            "prompt_tokens_details": {
                "cached_tokens": self._counts.get("cache_read_input_tokens", 0),
                "cache_write_tokens": self._counts.get("cache_creation_input_tokens", 0),
            },
            "completion_tokens_details": {"reasoning_tokens": self._counts.get("thinking_tokens", 0)},
        }

    def _count(self, usage: object) -> None:
        if isinstance(usage, dict):  # counts are running totals, and a later event may leave some out
            self._counts.update({name: count for name, count in usage.items() if isinstance(count, int)})
            self._count(usage.get("output_tokens_details"))

    def _start(self) -> bytes:
        return b""

    def _block_start(self, index: int, block: dict[str, Any]) -> bytes:  # for subclasses
        return b""

    def _delta(self, index: int, delta: dict[str, Any]) -> bytes:  # for subclasses
        return b""

    def _block_stop(self, index: int) -> bytes:  # for subclasses
        return b""


class WholeReply(Reply):
    """A reply that is sent in one piece."""

    __slots__ = ("_calls", "_texts", "_thoughts")

    def __init__(self, reply_id: str, created: int, model: str, *, custom: Container[str] = ()) -> None:
        super().__init__(reply_id, created, model, custom=custom)
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}

    def body(self) -> bytes:
        """The `chat.completion` object as JSON."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._texts), "refusal": None}
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if self._calls:
            message["content"] = message["content"] or None
            message["tool_calls"] = [self._tool_call(call) for call in self._calls.values()]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return orjson.dumps(
            {
                "id": self.id,
                "object": "chat.completion",
                "created": self.created,
                "model": self.model,
                "choices": [choice],
                "usage": self.usage,
            }
        )

    def _block_start(self, index: int, block: dict[str, Any]) -> bytes:
        if block.get("type") == "tool_use":
            self._calls[index] = {**block, "parts": []}
        elif block.get("type") == "text" and block.get("text"):
            self._texts.append(block["text"])
        return b""

    def _delta(self, index: int, delta: dict[str, Any]) -> bytes:
        match delta.get("type"):
            case "text_delta":
                self._texts.append(delta.get("text", ""))
            case "thinking_delta" if thought := delta.get("thinking"):  # empty where the model keeps it to itself
                self._thoughts.append(thought)
            case "input_json_delta" if index in self._calls:
                self._calls[index]["parts"].append(delta.get("partial_json", ""))
        return b""

    def _tool_call(self, block: dict[str, Any]) -> dict[str, Any]:
        arguments = "".join(block["parts"]) or whole_input(block)
        name = block.get("name")
        if name in self._custom:
            return {"id": block.get("id"), "type": "custom", "custom": {"name": name, "input": free_text(arguments)}}
        return {"id": block.get("id"), "type": "function", "function": {"name": name, "arguments": arguments}}


def whole_input(block: dict[str, Any]) -> str:
    """A tool call's arguments when no delta brought them: what the block began with, `{}` for a call without any."""
    return orjson.dumps(block.get("input") or {}).decode()


def free_text(arguments: str) -> str:
    """What a custom tool is called with; its text is the one field of the function that it is for Claude."""
    try:
        given = orjson.loads(arguments)
    except orjson.JSONDecodeError:  # cut by the answer's length
        return arguments
    text = given.get("input") if isinstance(given, dict) else None
    return text if isinstance(text, str) else arguments
