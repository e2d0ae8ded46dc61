"""Errors as answers to clients: what happened, what it means and what to do, in each dialect's shape."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import orjson

# The type that follows from a status, in each dialect; any other 4xx is the client's mistake, any other 5xx ours.
_OPENAI_TYPES = {403: "permission_error", 503: "service_unavailable"}
_ANTHROPIC_TYPES = {403: "permission_error", 404: "not_found_error", 413: "request_too_large"}

NOBODY_CODE = "no_brain"  # nobody can answer; nginx says the same, see nginx.conf


class ApiError(Exception, ABC):
    """One answer to a client. `headers` go with it."""

    status: int
    message: str
    headers: dict[str, str]

    @abstractmethod
    def body_bytes(self, request_id: str = "") -> bytes:
        """The JSON body, also used as the data of an event in a stream."""


@dataclass(eq=False)  # not frozen: a context manager that an error passes through sets its traceback
class OpenAIError(ApiError):
    """For Chat Completions and Responses.

    Shape: https://platform.openai.com/docs/guides/error-codes (`error.message`, `.type`, `.param`, `.code`).
    """

    status: int
    message: str
    code: str
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The error's type, which follows from its status."""
        return _OPENAI_TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")

    def body(self) -> dict[str, Any]:
        """The JSON body, also used as an event in a stream."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def body_bytes(self, request_id: str = "") -> bytes:
        """The body, encoded; this dialect names the request in a header only."""
        return orjson.dumps(self.body())


@dataclass(eq=False)
class AnthropicError(ApiError):
    """For Messages.

    Shape: https://docs.anthropic.com/en/api/errors (`type`, `error.type`, `error.message`, `request_id`).
    """

    status: int
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The error's type, which follows from its status."""
        return _ANTHROPIC_TYPES.get(self.status, "api_error" if self.status >= 500 else "invalid_request_error")

    def body(self, request_id: str = "") -> dict[str, Any]:
        """The JSON body, also used as the data of an `error` event."""
        error = {"type": self.type, "message": self.message}
        return {"type": "error", "error": error, "request_id": request_id or None}

    def body_bytes(self, request_id: str = "") -> bytes:
        """The body, encoded."""
        return orjson.dumps(self.body(request_id))
