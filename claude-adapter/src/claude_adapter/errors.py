"""What is said to a client when there is no answer, in its dialect, and the exceptions that lead there."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

_ANTHROPIC_TYPES = {400: "invalid_request_error", 404: "not_found_error", 413: "request_too_large"}


class BadRequestError(Exception):
    """The client's own mistake, found here: answered with `status` and an error that names the field."""

    def __init__(self, message: str, param: str | None = None, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.status = status


@dataclass(frozen=True, slots=True)
class ErrorDialect:
    """How an API says that something is wrong.

    `mistake(message, param, status)` is the body for a client's mistake, `failure(detail, reason)` the one of a 503,
    and `event(detail, reason)` what ends a stream that cannot be finished, as one SSE event.
    """

    mistake: Callable[[str, str | None, int], bytes]
    failure: Callable[[str, str], bytes]
    event: Callable[[str, str], bytes]


def error_body(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """OpenAI's `{"error": {"message", "type", "param", "code"}}` as JSON."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def error_event(message: str, code: str | None) -> bytes:
    """The same as one SSE event: what ends a stream that cannot be finished (no `[DONE]` follows)."""
    return b"data: " + error_body(message, "server_error", code=code) + b"\n\n"


def anthropic_error_body(message: str, kind: str, *, reason: str | None = None) -> bytes:
    """Anthropic's `{"type": "error", "error": {"type", "message"}}`; `reason` is the gateway's to read."""
    error = {"type": kind, "message": message}
    return orjson.dumps({"type": "error", "error": error if reason is None else {**error, "reason": reason}})


OPENAI = ErrorDialect(
    mistake=lambda message, param, _status: error_body(message, "invalid_request_error", param=param),
    failure=lambda detail, reason: error_body(detail, "service_unavailable", code=reason),
    event=error_event,
)
ANTHROPIC = ErrorDialect(
    mistake=lambda message, _param, status: anthropic_error_body(
        message, _ANTHROPIC_TYPES.get(status, "invalid_request_error")
    ),
    failure=lambda detail, reason: anthropic_error_body(detail, "api_error", reason=reason),
    event=lambda detail, reason: (
        b"event: error\ndata: " + anthropic_error_body(detail, "api_error", reason=reason) + b"\n\n"
    ),
)
