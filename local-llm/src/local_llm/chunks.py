"""Chat Completions bodies and stream events. Pure.

Shapes: https://platform.openai.com/docs/api-reference/chat/object and …/chat/streaming.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson

FinishReason = Literal["stop", "length"]

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer; `cached` of the prompt's were not evaluated again."""

    prompt: int
    cached: int
    completion: int

    def body(self) -> dict[str, Any]:
        """OpenAI's `usage`."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }


@dataclass(frozen=True)
class Chunks:
    """Everything one answer says, under one id and one true model name."""

    id: str
    model: str
    created: int

    def role(self) -> bytes:
        """The first event: somebody is there."""
        return self._event([_choice({"role": "assistant", "content": ""}, None)])

    def content(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._event([_choice({"content": text}, None)])

    def finish(self, reason: FinishReason) -> bytes:
        """The end of the answer."""
        return self._event([_choice({}, reason)])

    def usage(self, usage: Usage) -> bytes:
        """What it cost; sent when `stream_options.include_usage` asked for it."""
        return self._event([], usage=usage.body())

    def completion(self, text: str, reason: FinishReason, usage: Usage) -> bytes:
        """The body of an answer that is not streamed."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return orjson.dumps(self._head("chat.completion") | {"choices": [choice], "usage": usage.body()})

    def _event(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return event(self._head("chat.completion.chunk") | {"choices": choices} | more)

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def event(body: dict[str, Any]) -> bytes:
    """One SSE event; an error's body goes out in the same way, and no [DONE] after it."""
    return b"data: " + orjson.dumps(body) + b"\n\n"


def comment(text: str) -> bytes:
    """An SSE comment: keeps the line alive, and no client shows it."""
    return f": {text}\n\n".encode()


def _choice(delta: dict[str, str], reason: FinishReason | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
