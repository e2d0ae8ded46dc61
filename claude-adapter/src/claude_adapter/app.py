"""Wiring: who knows whom, which path goes where, what runs in the background. No logic."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from claude_adapter.availability.breaker import Breaker
from claude_adapter.availability.drill import drill_seconds
from claude_adapter.availability.patience import PatienceRules
from claude_adapter.availability.probe import Prober, name_of
from claude_adapter.availability.reasons import Fallback, ProbeResult
from claude_adapter.availability.recent_reasons import RecentReasons
from claude_adapter.availability.silence import SilenceWatch
from claude_adapter.endpoints.chat_completions import ChatExchange
from claude_adapter.endpoints.exchange import Endpoint, Exchange
from claude_adapter.endpoints.messages import (
    COUNT_TOKENS_PATH,
    MESSAGES_PATH,
    CountTokensExchange,
    MessagesExchange,
    ModelsExchange,
)
from claude_adapter.errors import BadRequestError, error_body
from claude_adapter.metrics import Metrics
from claude_adapter.settings import Settings, proxy_for
from claude_adapter.state import state_document
from claude_adapter.upstream.client import Claude
from claude_adapter.upstream.key import ApiKey

_log = logging.getLogger(__name__)


_EXCHANGES: dict[str, type[Exchange]] = {
    "/v1/chat/completions": ChatExchange,
    MESSAGES_PATH: MessagesExchange,
    COUNT_TOKENS_PATH: CountTokensExchange,
}


def create_app(settings: Settings) -> ASGIApp:
    """The adapter as an ASGI app; its background tasks live as long as its lifespan."""
    metrics = Metrics()
    reasons = RecentReasons()
    claude = Claude(
        settings.anthropic_base_url,
        proxy_for(settings.anthropic_base_url),
        settings.claude_connect_seconds,
    )

    def on_open(reason: str) -> None:
        _log.warning("the breaker opened: %s", reason)
        metrics.opens.labels(reason).inc()
        prober.soon()

    def on_key() -> None:
        breaker.key_changed(key.problem)
        if key.value is not None:
            claude.use_key(key.value)
            prober.now()

    breaker = Breaker(time.monotonic, settings.claude_model, on_open, lambda: prober.at_once())

    def on_probe(result: ProbeResult) -> None:
        metrics.probes.labels(name_of(result)).inc()
        silence.probed(result if isinstance(result, Fallback) else None)

    prober = Prober(breaker, claude.probe, settings.claude_probe_seconds, on_probe)
    silence = SilenceWatch(prober.once)
    patience = PatienceRules(settings.claude_patience_seconds, settings.claude_tool_patience_seconds)
    secret = settings.anthropic_api_key
    key = ApiKey(secret.get_secret_value() if secret else None, settings.anthropic_api_key_file, on_key)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        on_key()
        tasks = [asyncio.create_task(prober.run()), asyncio.create_task(key.watch())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await claude.close()

    def endpoint(exchange: type[Exchange]) -> Endpoint:
        return Endpoint(exchange, settings, claude, breaker, reasons, metrics, silence, patience)

    endpoints = {path: endpoint(exchange) for path, exchange in _EXCHANGES.items()}
    routes: list[BaseRoute] = [Route(path, asked, methods=["POST"]) for path, asked in endpoints.items()]
    routes.append(Route("/v1/models", endpoint(ModelsExchange), methods=["GET"]))
    app = FastAPI(lifespan=lifespan, openapi_url=None, routes=routes)

    @app.get("/state")
    async def state() -> Response:
        return _json(state_document(breaker, key, prober, settings.claude_model))

    @app.get("/reasons/{request_id}")
    async def reason(request_id: str) -> Response:
        found = reasons.get(request_id)
        if found is None:
            raise HTTPException(404, "No failure is remembered for this request.")
        return _json({"reason": found})

    @app.get("/metrics")
    async def metrics_text() -> Response:
        return Response(metrics.render(breaker.view()), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/healthz")
    async def healthz() -> Response:
        return _json({"ok": True})

    @app.post("/drill")
    async def drill(request: Request) -> Response:
        seconds = drill_seconds(await request.body())
        breaker.drill(seconds)
        return _json({"seconds": seconds})

    @app.exception_handler(BadRequestError)
    async def bad_request(_request: Request, error: BadRequestError) -> Response:
        return _error(error.status, error.message, error.param)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        plain = {"Not Found": f"There is nothing at {request.url.path}.", "Method Not Allowed": "Wrong method here."}
        return _error(error.status_code, plain.get(error.detail, error.detail), headers=error.headers)

    async def entrance(scope: Scope, receive: Receive, send: Send) -> None:
        # Straight to the hot path: FastAPI's layers of middleware have nothing to do for it, and cost 0.1 ms.
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in endpoints:
            await endpoints[scope["path"]](scope, receive, send)
        else:
            await app(scope, receive, send)

    return entrance


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")


def _error(status: int, message: str, param: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
    body = error_body(message, "invalid_request_error", param=param)
    return Response(body, status, headers=headers, media_type="application/json")
