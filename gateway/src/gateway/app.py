"""Wiring: settings, lifespan, routes."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api_docs.openapi import describe
from gateway.api_docs.routes import router as api_docs_pages
from gateway.dialects.chat_completions.dialect import ChatCompletions
from gateway.dialects.errors import AnthropicError, ApiError, OpenAIError
from gateway.dialects.messages.dialect import CountTokens, Messages
from gateway.dialects.responses.dialect import Responses
from gateway.disk import measure_disks
from gateway.edge_refusals import counting_refusals
from gateway.metrics import Metrics
from gateway.models import Models, openai_shape, page
from gateway.relay.conversation import ConversationReader
from gateway.relay.eligibility import SideTaskRule
from gateway.relay.exchange import Endpoint
from gateway.relay.notice import Wording
from gateway.relay.rescue import RESCUE_LINE
from gateway.relay.upstream import Upstream
from gateway.settings import DEFAULT_MARK, DEFAULT_NOTICE, Settings
from gateway.side_tasks import SideTasks
from gateway.status.history import History
from gateway.status.poller import Status
from gateway.status.recorder import Recorder
from gateway.status.routes import EVENTS_PATH
from gateway.status.routes import router as status_pages

_INTERNAL_ERROR = OpenAIError(500, "Pilot Light made a mistake. Its log says where.", "internal_error")
_ANTHROPIC = "/anthropic"  # some clients want a base URL of its own for each dialect
_CLAUDE = "/claude"  # and this one leads to Claude or to nobody
_BASES = ("", _ANTHROPIC, _CLAUDE, _CLAUDE + _ANTHROPIC)


class _Described(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Our own document in the place of FastAPI's."""
        return describe(self.title, self.version)


def create_app(settings: Settings) -> ASGIApp:
    """The gateway as an ASGI app; its connections open and close with its lifespan."""
    endpoints: dict[str, ASGIApp] = {}

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        metrics = Metrics()
        status = Status(settings.pilot_run_dir, metrics, settings.pilot_notice)
        wording = Wording(
            settings.pilot_notice,
            settings.mark,
            settings.pilot_notice_policy,
            settings.pilot_handover == "labels",
            ConversationReader({settings.pilot_notice, DEFAULT_NOTICE}, RESCUE_LINE, {settings.mark, DEFAULT_MARK}),
        )
        upstream = Upstream(settings.pilot_run_dir / "brains.sock", status)
        side_tasks = SideTaskRule(SideTasks.load(), settings.pilot_side_tasks)
        for labels in side_tasks.labels:
            metrics.refused_side_tasks.labels(*labels)
        for dialect in (ChatCompletions(), Responses(), Messages(), CountTokens()):
            for base in ("", _CLAUDE):
                endpoint = Endpoint(dialect, upstream, status, metrics, wording, side_tasks, under_claude=bool(base))
                endpoints[base + dialect.path] = endpoint
                if isinstance(dialect, Messages):
                    endpoints[base + _ANTHROPIC + dialect.path] = endpoint
        for path, asked in endpoints.items():
            app.router.routes.append(Route(path, asked, methods=["POST"]))  # answers the other methods with 405
        app.state.metrics, app.state.status = metrics, status
        app.state.models = Models(upstream, status, settings.aliases)
        app.state.recorder = recorder = Recorder(status, History(settings.state_dir / "history.sqlite3"), metrics)
        measure_disks(metrics, {"run": settings.pilot_run_dir, "state": settings.state_dir})
        with counting_refusals(settings.pilot_run_dir, metrics):
            async with recorder.following(), status.polling():
                yield
        await upstream.close()

    app = _Described(title="Pilot Light", lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)

    app.include_router(status_pages)
    app.include_router(api_docs_pages)

    async def models(request: Request) -> JSONResponse:
        """The names that can be asked for: Claude's, the local model's, and the one that takes what is best."""
        found = await _entries(request)
        if _speaks_anthropic(request):
            return JSONResponse(page(found, request.query_params))
        return JSONResponse({"object": "list", "data": [openai_shape(entry) for entry in found]})

    async def model(request: Request, name: str) -> JSONResponse:
        """One of these names."""
        for entry in await _entries(request):
            if entry["id"] == name:
                return JSONResponse(entry if _speaks_anthropic(request) else openai_shape(entry))
        raise _error(request, 404, f"There is no model '{name}'. GET /v1/models lists them.", "model_not_found")

    for base in _BASES:
        app.get(f"{base}/v1/models")(models)
        app.get(f"{base}/v1/models/{{name}}")(model)

    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """Whether this process runs."""
        return JSONResponse({"ok": True})

    @app.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        """Whether at least one backend can answer."""
        active = request.app.state.status.active
        return JSONResponse({"ready": active != "none", "active_backend": active}, 503 if active == "none" else 200)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Prometheus text format."""
        return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def entrance(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/"):
            # The same path. The framework would redirect, to a host, port and scheme that only it believes in.
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        # Straight to the hot path: the framework's layers have nothing to do for it and cost CPU for every token.
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in endpoints:
            await endpoints[scope["path"]](scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"] != EVENTS_PATH:
            await app({**scope, "method": "GET"}, receive, send)  # the server leaves the body out
        else:
            await app(scope, receive, send)

    return entrance


async def _entries(request: Request) -> list[dict[str, Any]]:
    """The models that can be asked for at this path."""
    found: Models = request.app.state.models
    return await found.entries(with_local=not request.url.path.startswith(f"{_CLAUDE}/"))


def _speaks_anthropic(request: Request) -> bool:
    path = request.url.path.removeprefix(_CLAUDE)
    if path.startswith((_ANTHROPIC, "/v1/messages")):
        return True
    # The key itself ends at the edge, which says in its place that there was one.
    return any(name in request.headers for name in ("anthropic-version", "x-api-key", "x-pilot-api-key"))


def _error(request: Request, status: int, message: str, code: str) -> ApiError:
    return AnthropicError(status, message) if _speaks_anthropic(request) else OpenAIError(status, message, code)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101  # for mypy: it is registered for no other
    body = error.body_bytes(request.headers.get("x-request-id", ""))
    return Response(body, error.status, headers=error.headers, media_type="application/json")


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    if status == 404:
        message = (
            f"There is nothing at {request.url.path}. Chat Completions are at POST /v1/chat/completions, "
            "Responses at POST /v1/responses, Messages at POST /v1/messages."
        )
        shaped = _error(request, 404, message, "not_found")
    else:
        message = f"{request.method} is not possible at {request.url.path}."
        shaped = _error(request, status, message, "method_not_allowed")
    response = await _api_error(request, shaped)
    response.headers.update(getattr(error, "headers", None) or {})
    if "GET" in response.headers.get("allow", "") and request.url.path != EVENTS_PATH:
        # The framework knows only some of our HEADs, and prints a set: in any order.
        response.headers["allow"] = "GET, HEAD"
    return response


async def _unexpected_error(request: Request, error: Exception) -> Response:
    shaped = AnthropicError(500, _INTERNAL_ERROR.message) if _speaks_anthropic(request) else _INTERNAL_ERROR
    return await _api_error(request, shaped)
