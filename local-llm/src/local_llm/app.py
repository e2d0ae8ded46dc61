"""Wiring: llama_cpp.server's app and model, our routes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from llama_cpp.server import app as llama_server
from starlette.exceptions import HTTPException
from starlette.routing import Route

from local_llm.dialects.chat_reply import CHAT_COMPLETIONS
from local_llm.dialects.errors import LastResort, not_served
from local_llm.dialects.messages_reply import MESSAGES
from local_llm.endpoints.answering import Answering, CountTokens
from local_llm.endpoints.health import Health
from local_llm.engine.progress import StallWatch
from local_llm.models.serving import Serving
from local_llm.models.switcher import Switcher
from local_llm.models.weights import embedded, first_context, locate, server_settings_for
from local_llm.prompt.persona import read_soul
from local_llm.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Load the embedded model and wire the app; the one that is to answer comes on when it has proved that it can.

    Raises `ModelNotFoundError` and `SoulError`.
    """
    soul = read_soul(settings.local_soul)
    locate(settings)
    weights = embedded()
    os.environ.pop("CONFIG_FILE", None)  # llama_cpp.server would read it and forget what we pass
    server_settings = server_settings_for(weights, settings, first_context(settings))
    app: FastAPI = llama_server.create_app(server_settings=server_settings, model_settings=[server_settings])
    proxy = llama_server._llama_proxy  # the public way waits for a lock that nobody holds yet, in a coroutine
    if proxy is None:
        raise RuntimeError("llama_cpp.server loaded no model")
    serving = Serving(settings, soul)
    serving.switch(serving.adopt(weights, proxy))
    watch = StallWatch(serving.progress)
    health = Health(serving, watch)

    # Its request-id middleware answers 400 to ids that are no UUID, and its CORS lets any web page in.
    app.user_middleware.clear()
    app.add_middleware(LastResort)
    app.add_exception_handler(HTTPException, not_served)
    # Its other routes (completions, embeddings, extras, docs) would go past our queue, fitting and headers.
    app.router.routes[:] = [
        Route("/v1/chat/completions", Answering(CHAT_COMPLETIONS, serving), methods=["POST"]),
        Route("/v1/messages", Answering(MESSAGES, serving), methods=["POST"]),
        Route("/v1/messages/count_tokens", CountTokens(MESSAGES, serving), methods=["POST"]),
        Route("/v1/models", health.models),
        Route("/healthz", health.healthz),
        Route("/metrics", serving.metrics.endpoint),
    ]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watch.start()
        await serving.current.warm_up()
        switching = asyncio.create_task(Switcher(serving, settings).run())
        yield
        switching.cancel()
        with suppress(asyncio.CancelledError):
            await switching
        await serving.close()

    app.router.lifespan_context = lifespan
    app.state.stall_watch = watch
    return app
