"""Error bodies in OpenAI's shape, and the two ways a request ends without an answer."""

import orjson

from claude_adapter.taxonomy import Verdict


class BadRequestError(Exception):
    """The client's own mistake, found here: answered with `status` and an error that names the field."""

    def __init__(self, message: str, param: str | None = None, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.status = status


class UpstreamError(Exception):
    """Claude did not answer, or stopped answering; `verdict` says whose fault it is."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


def error_body(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}` as JSON."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def error_event(message: str, code: str | None) -> bytes:
    """The same as one SSE event: what ends a stream that cannot be finished (no `[DONE]` follows)."""
    return b"data: " + error_body(message, "server_error", code=code) + b"\n\n"
