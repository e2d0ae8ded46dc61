"""What can go wrong, in the shape OpenAI's clients expect, and the last resort for what nobody foresaw."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)


class OpenAIError(Exception):
    """An error as one answer to a client: `{"error": {"message", "type", "param", "code"}}` and a status."""

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
        self.headers = headers or {}
        self.body: dict[str, Any] = {"error": {"message": message, "type": type_, "param": param, "code": code}}

    def response(self, headers: dict[str, str]) -> Response:
        """The whole reply, with the headers every reply carries."""
        return Response(
            orjson.dumps(self.body), self.status, headers=headers | self.headers, media_type="application/json"
        )


class BadRequestError(OpenAIError):  # named for what happened
    """The client's own mistake; names the field."""

    def __init__(self, param: str | None, message: str) -> None:
        super().__init__(400, message, "invalid_request_error", param=param, code="invalid_value")
        self.param = param


class BusyError(OpenAIError):  # named for what happened
    """Every place in the queue is taken."""

    def __init__(self, waiting: int, retry_after_seconds: int) -> None:
        super().__init__(
            503,
            f"The local model is busy: {waiting} requests are before yours. Try again in {retry_after_seconds} s.",
            "overloaded",
            code="queue_full",
            headers={"Retry-After": str(retry_after_seconds)},
        )


def unforeseen() -> OpenAIError:
    """A bug of ours, as the client sees it: nothing of the request, nothing of the code."""
    return OpenAIError(500, "The local model failed on this request. It was logged.", "server_error", code="internal")


def log_unforeseen(error: BaseException) -> None:
    """One line with the exception's type and place. Never its message: llama.cpp's can quote the prompt."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown place"
    log.error("unforeseen %s at %s", type(error).__name__, place)


async def not_served(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, in the same shape as every other error."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    what = f"{request.method} is not served at" if status == 405 else "There is nothing at"
    headers = dict(getattr(error, "headers", None) or {})
    return OpenAIError(
        status, f"{what} {request.url.path}.", "invalid_request_error", code="not_found", headers=headers
    ).response({})


class LastResort:
    """ASGI middleware: an exception nobody caught becomes a 500 in OpenAI's shape."""

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
                await unforeseen().response({})(scope, receive, send)
