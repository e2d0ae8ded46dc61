"""Wiring: llama_cpp.server's app and model, our routes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from llama_cpp.server import app as llama_server
from starlette.exceptions import HTTPException
from starlette.routing import Route

from local_llm.answering import Answering, CountTokens
from local_llm.chunks import CHAT_COMPLETIONS
from local_llm.engine import Engine
from local_llm.errors import LastResort, not_served
from local_llm.health import Health
from local_llm.message_events import MESSAGES
from local_llm.model import locate, server_settings_for
from local_llm.prefix_cache import PrefixCache
from local_llm.prompt import Limits, Prompter
from local_llm.rates import PrefillRate, share_of
from local_llm.settings import Settings
from local_llm.soul import read_soul
from local_llm.template import Template


def create_app(settings: Settings) -> FastAPI:
    """Load the model and wire the app. Raises `ModelNotFoundError` and `SoulError`."""
    soul = read_soul(settings.local_soul)
    weights = locate(settings)
    os.environ.pop("CONFIG_FILE", None)  # llama_cpp.server would read it and forget what we pass
    server_settings = server_settings_for(weights, settings)
    app: FastAPI = llama_server.create_app(server_settings=server_settings, model_settings=[server_settings])
    proxy = llama_server._llama_proxy  # the public way waits for a lock that nobody holds yet, in a coroutine
    if proxy is None:
        raise RuntimeError("llama_cpp.server loaded no model")
    llama = proxy(weights.name)

    prefixes = PrefixCache(llama, settings.local_cache_mb * 2**20)
    rate = PrefillRate(share_of(llama))
    engine = Engine(llama, prefixes, rate, queue_limit=settings.local_queue, queue_seconds=settings.local_queue_seconds)
    limits = Limits(soul, settings.local_max_tokens, settings.local_first_word_seconds, settings.local_tools)
    prompter = Prompter(llama, Template(llama), prefixes, rate, limits)
    health = Health(engine, weights.name, llama.n_ctx())

    # Its request-id middleware answers 400 to ids that are no UUID, and its CORS lets any web page in.
    app.user_middleware.clear()
    app.add_middleware(LastResort)
    app.add_exception_handler(HTTPException, not_served)
    # Its other routes (completions, embeddings, extras, docs) would go past our queue, fitting and headers.
    app.router.routes[:] = [
        Route("/v1/chat/completions", Answering(CHAT_COMPLETIONS, engine, prompter, weights.name), methods=["POST"]),
        Route("/v1/messages", Answering(MESSAGES, engine, prompter, weights.name), methods=["POST"]),
        Route("/v1/messages/count_tokens", CountTokens(MESSAGES, prompter, weights.name), methods=["POST"]),
        Route("/v1/models", health.models),
        Route("/healthz", health.healthz),
        Route("/metrics", engine.metrics.endpoint),
    ]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await engine.warm_up(prompter.soul_prefix())
        yield
        engine.close()

    app.router.lifespan_context = lifespan
    return app
