"""Wiring: llama_cpp.server's app and model, our routes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from llama_cpp.server import app as llama_server
from starlette.exceptions import HTTPException
from starlette.routing import Route

from local_llm.chat import ChatCompletions
from local_llm.engine import Engine
from local_llm.errors import LastResort, not_served
from local_llm.health import Health
from local_llm.model import locate, server_settings_for
from local_llm.prompt import Prompter
from local_llm.request import parse
from local_llm.settings import Settings
from local_llm.template import Template

_FIRST_REQUEST = b'{"messages": [{"role": "user", "content": "Hi"}]}'


def create_app(settings: Settings) -> FastAPI:
    """Load the model and wire the app. Raises `ModelNotFoundError`."""
    weights = locate(settings)
    os.environ.pop("CONFIG_FILE", None)  # llama_cpp.server would read it and forget what we pass
    server_settings = server_settings_for(weights, settings)
    app: FastAPI = llama_server.create_app(server_settings=server_settings, model_settings=[server_settings])
    proxy = llama_server._llama_proxy  # the public way waits for a lock that nobody holds yet, in a coroutine
    if proxy is None:
        raise RuntimeError("llama_cpp.server loaded no model")
    llama = proxy(weights.name)

    engine = Engine(llama, settings.local_queue)
    template = Template(llama)
    prompter = Prompter(llama, template, settings.local_max_tokens)
    health = Health(engine, weights.name, llama.n_ctx())

    # Its request-id middleware answers 400 to ids that are no UUID, and its CORS lets any web page in.
    app.user_middleware.clear()
    app.add_middleware(LastResort)
    app.add_exception_handler(HTTPException, not_served)
    # Its other routes (completions, embeddings, extras, docs) would go past our queue, fitting and headers.
    app.router.routes[:] = [
        Route("/v1/chat/completions", ChatCompletions(engine, prompter, weights.name), methods=["POST"]),
        Route("/v1/models", health.models),
        Route("/healthz", health.healthz),
        Route("/metrics", engine.metrics.endpoint),
    ]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await engine.warm_up(prompter.prepare(parse(_FIRST_REQUEST)).tokens)
        yield
        engine.close()

    app.router.lifespan_context = lifespan
    return app
