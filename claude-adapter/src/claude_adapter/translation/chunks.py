"""Messages events as Chat Completions chunks, each sent on as it comes. Pure: events in, SSE bytes out."""

from collections.abc import Container
from typing import Any

import orjson

from claude_adapter.translation.reply import Reply, free_text, whole_input


class ChunkedReply(Reply):
    """A reply that is sent chunk by chunk, from the role in the first to `[DONE]`.

    The chunk around a delta never changes, so it is rendered once: per token only the token itself is encoded.
    """

    __slots__ = ("_after", "_before", "_calls", "_free", "_include_usage", "_pending", "_role_sent")

    def __init__(
        self, reply_id: str, created: int, model: str, *, include_usage: bool, custom: Container[str] = ()
    ) -> None:
        super().__init__(reply_id, created, model, custom=custom)
        self._include_usage = include_usage
        self._role_sent = False
        self._calls: dict[int, int] = {}  # Claude's block index → OpenAI's tool call index
        self._pending: dict[int, dict[str, Any]] = {}  # tool calls whose arguments have not begun
        self._free: dict[int, str] = {}  # the arguments of those that take free text, sent when they are whole
        self._render()

    def finish(self) -> bytes:
        """The chunk with `finish_reason`, the usage chunk when asked for, and `[DONE]`, once."""
        if self.ended:
            return b""
        super().finish()
        chunks = self._role() + self._chunk([_choice({}, self.finish_reason)])
        if self._include_usage:
            chunks += self._chunk([], self.usage)
        return chunks + b"data: [DONE]\n\n"

    def _start(self) -> bytes:
        self._render()
        return self._role()

    def _block_start(self, index: int, block: dict[str, Any]) -> bytes:
        if block.get("type") == "text" and block.get("text"):
            return self._content(b"content", block["text"])
        if block.get("type") != "tool_use":
            return b""
        self._calls[index] = len(self._calls)
        self._pending[index] = block
        call = {"index": self._calls[index], "id": block.get("id")}
        name = block.get("name")
        if name in self._custom:
            self._free[index] = ""
            return self._call({**call, "type": "custom", "custom": {"name": name, "input": ""}})
        return self._call({**call, "type": "function", "function": {"name": name, "arguments": ""}})

    def _delta(self, index: int, delta: dict[str, Any]) -> bytes:
        match delta.get("type"):
            case "text_delta":
                return self._content(b"content", delta.get("text", ""))
            case "thinking_delta" if thought := delta.get("thinking"):  # empty where the model keeps it to itself
                return self._content(b"reasoning_content", thought)
            case "input_json_delta" if index in self._calls and (json := delta.get("partial_json")):
                if index in self._free:
                    self._free[index] += json
                    return b""
                self._pending.pop(index, None)
                return self._call({"index": self._calls[index], "function": {"arguments": json}})
        return b""

    def _block_stop(self, index: int) -> bytes:
        block = self._pending.pop(index, None)
        if block is None:
            return b""
        if index in self._free:
            text = free_text(self._free.pop(index) or whole_input(block))
            return self._call({"index": self._calls[index], "custom": {"input": text}})
        return self._call({"index": self._calls[index], "function": {"arguments": whole_input(block)}})

    def _role(self) -> bytes:
        if self._role_sent:
            return b""
        self._role_sent = True
        return self._chunk([_choice({"role": "assistant", "content": ""})])

    def _content(self, field: bytes, text: str) -> bytes:
        return self._role() + self._before + b'"' + field + b'":' + orjson.dumps(text) + self._after

    def _call(self, call: dict[str, Any]) -> bytes:
        return self._role() + self._before + b'"tool_calls":[' + orjson.dumps(call) + b"]" + self._after

    def _render(self) -> None:
        self._before, self._after = self._chunk([_choice({"x": 0})]).split(b'"x":0')

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        chunk: dict[str, Any] = {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        if self._include_usage:
            chunk["usage"] = usage  # null until the last, as OpenAI does it
        return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _choice(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
