"""Errors in the shape that OpenAI's clients expect."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.dialects.errors import ApiError


@dataclass(eq=False)  # not frozen: a context manager that an error passes through sets its traceback
class OpenAIError(ApiError):
    """What happened, what it means and what to do, as one answer to a client.

    Shape: https://platform.openai.com/docs/guides/error-codes (`error.message`, `.type`, `.param`, `.code`).
    """

    status: int
    message: str
    code: str
    param: str | None = None
    type: str = "invalid_request_error"
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The JSON body, also used as an event in a stream."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def body_bytes(self, request_id: str = "") -> bytes:
        """The body, encoded; this dialect names the request in a header only."""
        return orjson.dumps(self.body())
