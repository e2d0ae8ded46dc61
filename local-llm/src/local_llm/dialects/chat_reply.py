"""Chat Completions bodies and stream events. No I/O.

Shapes: https://platform.openai.com/docs/api-reference/chat/object and …/chat/streaming.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson

from local_llm.dialects.answer import Answer, Usage
from local_llm.dialects.chat_request import ChatRequest, parse
from local_llm.dialects.errors import ApiError
from local_llm.dialects.interface import Dialect
from local_llm.dialects.tools import Part, ToolCall

DONE = b"data: [DONE]\n\n"


class ChatReply:
    """One answer as Chat Completions tells it."""

    def __init__(self, request_id: str, model: str, created_seconds: int, *, wants_usage: bool = False) -> None:
        self._request_id = request_id
        self._model = model
        self._created_seconds = created_seconds
        self._wants_usage = wants_usage
        self._calls = 0

    def opening(self, prompt_tokens: int) -> bytes:
        """The role: somebody is there."""
        return self._event([_choice({"role": "assistant", "content": ""}, None)])

    def waiting(self, state: str) -> bytes:
        """An SSE comment."""
        return f": {state}\n\n".encode()

    def part(self, part: Part) -> bytes:
        """Text, or a whole tool call."""
        if isinstance(part, str):
            return self._event([_choice({"content": part}, None)])
        call = {"index": self._calls, **self._call(part)}
        return self._event([_choice({"tool_calls": [call]}, None)])

    def end(self, answer: Answer) -> bytes:
        """The finish, the usage when it was asked for, and [DONE]."""
        usage = self._event([], usage=_usage(answer.usage)) if self._wants_usage else b""
        return self._event([_choice({}, self._reason(answer))]) + usage + DONE

    def failed(self, error: ApiError) -> bytes:
        """An event with the error, and no [DONE] after it."""
        return _event(error.openai_body())

    def whole(self, parts: Sequence[Part], answer: Answer) -> bytes:
        """The body of an answer that is not streamed."""
        text = "".join(part for part in parts if isinstance(part, str))
        calls = [self._call(part) for part in parts if isinstance(part, ToolCall)]
        message: dict[str, Any] = {"role": "assistant", "content": None if calls and not text else text}
        message |= {"refusal": None} | ({"tool_calls": calls} if calls else {})
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._reason(answer)}
        return orjson.dumps(self._head("chat.completion") | {"choices": [choice], "usage": _usage(answer.usage)})

    def _call(self, call: ToolCall) -> dict[str, Any]:
        function = {"name": call.name, "arguments": call.arguments}
        self._calls += 1
        return {"id": f"call_{self._request_id}_{self._calls}", "type": "function", "function": function}

    def _reason(self, answer: Answer) -> str:
        return "tool_calls" if self._calls and answer.reason == "stop" else answer.reason

    def _event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return _event(self._head("chat.completion.chunk") | {"choices": choices} | more)

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self._request_id}",
            "object": kind,
            "created": self._created_seconds,
            "model": self._model,
        }


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def _choice(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


def _reply(request: ChatRequest, request_id: str, model: str) -> ChatReply:
    return ChatReply(request_id, model, int(time.time()), wants_usage=request.wants_usage)


CHAT_COMPLETIONS = Dialect(parse, _reply, lambda error, _: error.openai_body())
