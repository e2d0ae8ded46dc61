"""Errors in the shape that Anthropic's clients expect."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.dialects.errors import ApiError

_TYPES = {404: "not_found_error", 413: "request_too_large"}


@dataclass(eq=False)  # not frozen: a context manager that an error passes through sets its traceback
class AnthropicError(ApiError):
    """What happened, what it means and what to do, as one answer to a client.

    Shape: https://docs.anthropic.com/en/api/errors (`type`, `error.type`, `error.message`, `request_id`).
    """

    status: int
    message: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The error's type, which follows from its status."""
        return _TYPES.get(self.status, "api_error" if self.status >= 500 else "invalid_request_error")

    def body(self, request_id: str = "") -> dict[str, Any]:
        """The JSON body, also used as the data of an `error` event."""
        error = {"type": self.type, "message": self.message}
        return {"type": "error", "error": error, "request_id": request_id or None}

    def body_bytes(self, request_id: str = "") -> bytes:
        """The body, encoded."""
        return orjson.dumps(self.body(request_id))
