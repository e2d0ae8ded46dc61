"""What Chat Completions and Messages do differently, as data and one interface; the serving of them is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from local_llm.dialects.answer import Answer
from local_llm.dialects.chat_request import ChatRequest
from local_llm.dialects.errors import ApiError
from local_llm.dialects.tools import Part


class Reply(Protocol):
    """One answer's body or events, under one id and one true model name. Each method returns bytes to send."""

    def opening(self, prompt_tokens: int) -> bytes:
        """The first events, sent before queue and prefill."""
        ...

    def waiting(self, state: str) -> bytes:
        """Keeps the line alive while nothing comes; no client shows it."""
        ...

    def part(self, part: Part) -> bytes:
        """A piece of the answer."""
        ...

    def end(self, answer: Answer) -> bytes:
        """The proper end of a stream."""
        ...

    def failed(self, error: ApiError) -> bytes:
        """The end of a stream that cannot be finished."""
        ...

    def whole(self, parts: Sequence[Part], answer: Answer) -> bytes:
        """The body of an answer that is not streamed."""
        ...


@dataclass(frozen=True)
class Dialect:
    """How requests are read, replies are written, and errors are shaped."""

    parse: Callable[[bytes], ChatRequest]
    reply: Callable[[ChatRequest, str, str], Reply]  # request, request id, model name
    error_body: Callable[[ApiError, str], dict[str, Any]]
    id_header: str | None = None  # where the dialect's clients look for the request's id
