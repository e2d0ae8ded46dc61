"""Messages bodies and stream events. No I/O.

Shapes: https://docs.claude.com/en/api/messages and …/build-with-claude/streaming. Clients fail when anything precedes
`message_start`, when a block's index is not its position, or when `message_delta` lacks `usage.output_tokens`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from local_llm.dialects.answer import Answer, Usage
from local_llm.dialects.chat_request import ChatRequest
from local_llm.dialects.errors import ApiError
from local_llm.dialects.interface import Dialect
from local_llm.dialects.messages_request import parse_messages
from local_llm.dialects.tools import Part, ToolCall

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'


class MessagesReply:
    """One answer as Messages tells it."""

    def __init__(self, request_id: str, model: str) -> None:
        self._request_id = request_id
        self._model = model
        self._blocks = 0  # begun so far
        self._text_is_open = False
        self._calls = 0

    def opening(self, prompt_tokens: int) -> bytes:
        """`message_start` and a ping; the first block begins with the first words, so that others can go before it."""
        message = self._message([], None, None, Usage(prompt_tokens, 0, 0))
        return _event({"type": "message_start", "message": message}) + _PING

    def waiting(self, state: str) -> bytes:
        """A ping."""
        return _PING

    def part(self, part: Part) -> bytes:
        """Text into the open block, or a tool call as a block of its own."""
        if isinstance(part, ToolCall):
            block = {**self._call(part), "input": {}}
            delta = {"type": "input_json_delta", "partial_json": part.arguments}
            return self._close_text() + self._start(block) + self._delta(delta) + self._stop()
        start = b"" if self._text_is_open else self._start({"type": "text", "text": ""})
        self._text_is_open = True
        return start + self._delta({"type": "text_delta", "text": part})

    def end(self, answer: Answer) -> bytes:
        """The last block's end, why it ended, what it cost, and `message_stop`."""
        closing = self._close_text()
        delta = {"stop_reason": self._reason(answer), "stop_sequence": answer.stop}
        return (
            closing
            + _event({"type": "message_delta", "delta": delta, "usage": _usage(answer.usage)})
            + _event({"type": "message_stop"})
        )

    def failed(self, error: ApiError) -> bytes:
        """An `error` event; nothing comes after it."""
        return _event(error.anthropic_body(self._request_id))

    def whole(self, parts: Sequence[Part], answer: Answer) -> bytes:
        """The body of an answer that is not streamed."""
        content: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, ToolCall):
                content.append({**self._call(part), "input": orjson.loads(part.arguments)})
            elif content and content[-1]["type"] == "text":
                content[-1]["text"] += part
            else:
                content.append({"type": "text", "text": part})
        return orjson.dumps(self._message(content, self._reason(answer), answer.stop, answer.usage))

    def _message(
        self, content: list[dict[str, Any]], reason: str | None, stop: str | None, usage: Usage
    ) -> dict[str, Any]:
        return {
            "id": f"msg_{self._request_id}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": stop,
            "usage": _usage(usage),
        }

    def _call(self, call: ToolCall) -> dict[str, Any]:
        self._calls += 1
        return {"type": "tool_use", "id": f"toolu_{self._request_id}_{self._calls}", "name": call.name}

    def _reason(self, answer: Answer) -> str:
        if answer.reason == "length":
            return "max_tokens"
        if answer.stop is not None:
            return "stop_sequence"
        return "tool_use" if self._calls else "end_turn"

    def _start(self, block: dict[str, Any]) -> bytes:
        self._blocks += 1
        return _event({"type": "content_block_start", "index": self._blocks - 1, "content_block": block})

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event({"type": "content_block_delta", "index": self._blocks - 1, "delta": delta})

    def _stop(self) -> bytes:
        return _event({"type": "content_block_stop", "index": self._blocks - 1})

    def _close_text(self) -> bytes:
        was_open, self._text_is_open = self._text_is_open, False
        return self._stop() if was_open else b""


def _event(body: dict[str, Any]) -> bytes:
    kind: str = body["type"]
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(body) + b"\n\n"


def _usage(usage: Usage) -> dict[str, int]:
    """Anthropic counts what was read from the cache apart from the rest of the prompt."""
    return {
        "input_tokens": usage.prompt - usage.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    }


def _reply(_: ChatRequest, request_id: str, model: str) -> MessagesReply:
    return MessagesReply(request_id, model)


MESSAGES = Dialect(parse_messages, _reply, ApiError.anthropic_body, id_header="request-id")
