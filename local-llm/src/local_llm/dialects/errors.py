"""What can go wrong, in the shapes OpenAI's and Anthropic's clients expect, and the last resort for the unforeseen."""

from __future__ import annotations

import logging
import re
import traceback
import uuid
from typing import Any, Literal

import orjson
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


# Anthropic's name for a status; any other 4xx is the client's mistake, any other 5xx ours.
_ANTHROPIC_TYPES = {404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error"}


class ApiError(Exception):
    """An error as one answer to a client: a status, and a body in the dialect they speak."""

    def __init__(
        self,
        status: int,
        message: str,
        type_: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type_
        self.param = param
        self.code = code
        self.headers = headers or {}

    def openai_body(self) -> dict[str, Any]:
        """`{"error": {"message", "type", "param", "code"}}`."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def anthropic_body(self, request_id: str) -> dict[str, Any]:
        """`{"type": "error", "error": {"type", "message"}, "request_id"}`."""
        otherwise = "invalid_request_error" if self.status < 500 else "api_error"
        error = {"type": _ANTHROPIC_TYPES.get(self.status, otherwise), "message": self.message}
        return {"type": "error", "error": error, "request_id": request_id}

    def response(self, body: dict[str, Any], headers: dict[str, str]) -> Response:
        """The whole reply, with the headers every reply carries."""
        return Response(orjson.dumps(body), self.status, headers=headers | self.headers, media_type="application/json")


class BadRequestError(ApiError):
    """The client's own mistake, or a wish that cannot be granted; names the field."""

    def __init__(self, param: str | None, message: str) -> None:
        super().__init__(400, message, "invalid_request_error", param=param, code="invalid_value")


class BusyError(ApiError):
    """The local model cannot take this request: every place is taken, or its time in the queue is over."""

    def __init__(
        self, message: str, retry_after_seconds: int, *, cause: Literal["queue_full", "queue_seconds"]
    ) -> None:
        super().__init__(
            503,
            f"The local model is busy: {message} Try again in {retry_after_seconds} s.",
            "overloaded",
            code=cause,
            headers={"Retry-After": str(retry_after_seconds)},
        )
        self.cause = cause


def unforeseen() -> ApiError:
    """A bug of ours, as the client sees it: nothing of the request, nothing of the code."""
    return ApiError(500, "The local model failed on this request. It was logged.", "server_error", code="internal")


def log_unforeseen(error: BaseException) -> None:
    """One line with the exception's type and place. Never its message: llama.cpp's can quote the prompt."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
    log.error("unforeseen %s at %s", type(error).__name__, place)


def body_for(error: ApiError, scope: Scope) -> dict[str, Any]:
    """The error in the dialect of the path that was asked."""
    if scope["path"].startswith("/v1/messages"):
        return error.anthropic_body(request_id(scope))
    return error.openai_body()


def request_id(scope: Scope) -> str:
    """The caller's X-Request-Id, so that one id leads through all the logs, or one of ours when it is none."""
    named = Headers(scope=scope).get("x-request-id", "")
    return named if _REQUEST_ID.fullmatch(named) else uuid.uuid4().hex


async def not_served(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, in the same shape as every other error."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    what = f"{request.method} is not served at" if status == 405 else "There is nothing at"
    headers = dict(getattr(error, "headers", None) or {})
    refusal = ApiError(
        status, f"{what} {request.url.path}.", "invalid_request_error", code="not_found", headers=headers
    )
    return refusal.response(body_for(refusal, request.scope), {})


class LastResort:
    """ASGI middleware: an exception nobody caught becomes a 500 in the caller's dialect."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; answer only when the app failed before it did."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001  # the last resort is for whatever it is
            log_unforeseen(error)
            if scope["type"] == "http" and not started:
                failure = unforeseen()
                await failure.response(body_for(failure, scope), {})(scope, receive, send)
