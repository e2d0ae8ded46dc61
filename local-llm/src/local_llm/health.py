"""`GET /healthz` and `GET /v1/models`: what is known without the model's lock.

They take the place of llama_cpp.server's `/v1/models`, which waits for the running answer to end.
"""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_llm.engine import Engine


class Health:
    """The two endpoints, for one model."""

    def __init__(self, engine: Engine, model_name: str, context_tokens: int) -> None:
        self._engine = engine
        self._model_name = model_name
        self._context_tokens = context_tokens
        self._loaded_at_seconds = int(time.time())

    async def healthz(self, request: Request) -> Response:
        """200 when a request would be answered, else 503."""
        ready = self._engine.ready
        state = {
            "ready": ready,
            "model": self._model_name,
            "context_tokens": self._context_tokens,
            "queue_depth": self._engine.depth,
        }
        return JSONResponse(state, 200 if ready else 503)

    async def models(self, request: Request) -> Response:
        """OpenAI's list, of one."""
        model = {
            "id": self._model_name,
            "object": "model",
            "created": self._loaded_at_seconds,
            "owned_by": "local",
        }
        return JSONResponse({"object": "list", "data": [model]})
