"""`GET /healthz` and `GET /v1/models`: what is known without the model's lock.

They take the place of llama_cpp.server's `/v1/models`, which waits for the running answer to end.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_llm.engine.progress import StallWatch
from local_llm.models.serving import Serving


class Health:
    """The two endpoints, for the model that is on."""

    def __init__(self, serving: Serving, watch: StallWatch) -> None:
        self._serving = serving
        self._watch = watch

    async def healthz(self, request: Request) -> Response:
        """200 when a request would be answered, else 503."""
        model = self._serving.current
        ready = model.engine.ready and not self._watch.stalled
        state = {
            "ready": ready,
            "model": model.name,
            "context_tokens": model.context_tokens,
            "queue_depth": self._serving.depth,
            "passed_over": self._serving.passed_over,
        }
        return JSONResponse(state, 200 if ready else 503)

    async def models(self, request: Request) -> Response:
        """OpenAI's list, of one."""
        model = self._serving.current
        entry = {"id": model.name, "object": "model", "created": model.loaded_at_seconds, "owned_by": "local"}
        return JSONResponse({"object": "list", "data": [entry]})
