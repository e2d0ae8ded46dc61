"""What is said to a client when there is no answer, in its dialect. The one place where an error gets its shape.

A failure before any content has no words here: nginx drops the 503 and asks the backup.
"""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

_ANTHROPIC_TYPES = {400: "invalid_request_error", 404: "not_found_error", 413: "request_too_large"}


class BadRequestError(Exception):
    """The client's own mistake: answered with `status` and an error that names the field, where it was found here."""

    def __init__(self, message: str, param: str | None = None, *, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.status = status
        self.code = code  # where OpenAI has one for it


@dataclass(frozen=True, slots=True)
class ErrorDialect:
    """How an API says that something is wrong.

    `mistake(error)` is the body for a client's mistake, and `event(detail, reason)` what ends a stream that cannot be
    finished, as one SSE event.
    """

    mistake: Callable[[BadRequestError], bytes]
    event: Callable[[str, str], bytes]


def error_body(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """OpenAI's `{"error": {"message", "type", "param", "code"}}` as JSON (in a stream no `[DONE]` follows)."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def anthropic_error_body(message: str, kind: str, *, reason: str | None = None) -> bytes:
    """Anthropic's `{"type": "error", "error": {"type", "message"}}`; `reason` is the gateway's to read."""
    error = {"type": kind, "message": message}
    return orjson.dumps({"type": "error", "error": error if reason is None else {**error, "reason": reason}})


OPENAI = ErrorDialect(
    mistake=lambda error: error_body(error.message, "invalid_request_error", param=error.param, code=error.code),
    event=lambda detail, reason: b"data: " + error_body(detail, "server_error", code=reason) + b"\n\n",
)
ANTHROPIC = ErrorDialect(
    mistake=lambda error: anthropic_error_body(
        error.message, _ANTHROPIC_TYPES.get(error.status, "invalid_request_error")
    ),
    event=lambda detail, reason: (
        b"event: error\ndata: " + anthropic_error_body(detail, "api_error", reason=reason) + b"\n\n"
    ),
)
