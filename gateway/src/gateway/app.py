"""Wiring: settings, lifespan, routes."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.brains import Brains
from gateway.chat_completions import PATH, ChatCompletions
from gateway.history import History
from gateway.metrics import Metrics
from gateway.notice import Conversations
from gateway.openai_error import OpenAIError
from gateway.rescue import RESCUE_LINE
from gateway.settings import DEFAULT_NOTICE, Settings
from gateway.status import Status
from gateway.status_pages import router as status_pages
from gateway.watch import Watch


def create_app(settings: Settings) -> ASGIApp:
    """The gateway as an ASGI app; its connections open and close with its lifespan."""
    endpoints: dict[str, ASGIApp] = {}

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        metrics = Metrics()
        status = Status(settings.pilot_run_dir, metrics, settings.pilot_notice)
        notices = tuple(dict.fromkeys((settings.pilot_notice, DEFAULT_NOTICE, RESCUE_LINE)))
        brains = Brains(settings.pilot_run_dir / "brains.sock")
        chat = ChatCompletions(brains, status, Conversations(settings.pilot_notice_policy), metrics, notices)
        app.state.metrics, app.state.status = metrics, status
        app.state.watch = watch = Watch(status, History(settings.state_dir / "history.sqlite3"), metrics)
        endpoints[PATH] = chat
        app.router.routes.append(Route(PATH, chat, methods=["POST"]))  # answers the other methods with 405
        async with watch.following(), status.polling():
            yield
        await brains.close()

    app = FastAPI(title="Pilot Light", lifespan=lifespan)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)

    app.include_router(status_pages)

    @app.get("/v1/models")
    async def models(request: Request) -> JSONResponse:
        """The names that can be asked for: Claude's, the local model's, and the one that takes what is best."""
        status: Status = request.app.state.status
        names = dict.fromkeys(("pilot", status.claude.model, "local", status.local.model))
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "pilot-light"} for name in names if name]
        return JSONResponse({"object": "list", "data": data})

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """Whether this process runs."""
        return JSONResponse({"ok": True})

    @app.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        """Whether at least one brain can answer."""
        active = request.app.state.status.active
        return JSONResponse({"ready": active != "none", "active_backend": active}, 503 if active == "none" else 200)

    @app.get("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        """Prometheus text format."""
        return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def entrance(scope: Scope, receive: Receive, send: Send) -> None:
        # Straight to the hot path: the framework's layers have nothing to do for it and cost CPU for every token.
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in endpoints:
            await endpoints[scope["path"]](scope, receive, send)
        else:
            await app(scope, receive, send)

    return entrance


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    if status == 404:
        shaped = OpenAIError(
            404,
            f"There is nothing at {request.url.path}. Chat Completions are at POST /v1/chat/completions.",
            "not_found",
        )
    else:
        shaped = OpenAIError(status, f"{request.method} is not possible at {request.url.path}.", "method_not_allowed")
    return JSONResponse(shaped.body(), status, headers=getattr(error, "headers", None))


async def _unexpected_error(request: Request, error: Exception) -> Response:
    shaped = OpenAIError(500, "Pilot Light made a mistake. Its log says where.", "internal_error", type="server_error")
    return JSONResponse(shaped.body(), 500)
