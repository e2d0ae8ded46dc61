"""What the tests with real sockets share: a small upstream that behaves as told, and a client of the adapter."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import orjson
from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]
Event = dict[str, Any]


def sse(*events: Event) -> bytes:
    """Events as the API writes them."""
    return b"".join(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)


START: Event = {
    "type": "message_start",
    "message": {"model": "claude-sonnet-5-5", "usage": {"input_tokens": 7, "output_tokens": 1}},
}
TEXT_START: Event = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
END: list[Event] = [
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]


def text(part: str) -> Event:
    """One text delta."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}}


class Upstream:
    """A stand-in for the API: `messages` and `models` say how it behaves, `seen` what was asked of it."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[tuple[str, dict[str, str], Any]] = []
        self.messages: Behaviour = self.answer
        self.models: Behaviour = self.list_models
        self.asked = asyncio.Event()  # a Messages request has come
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def count(self, path: str) -> int:
        """How many requests came for `path`."""
        return sum(seen[0] == path for seen in self.seen)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(
            (request.path, {k.lower(): v for k, v in request.headers.items()}, body and orjson.loads(body))
        )
        if request.path == "/v1/messages":
            self.asked.set()
        return await (self.models if request.path == "/v1/models" else self.messages)(request)

    async def list_models(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"data": []})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        return await self.stream(request, sse(START, TEXT_START, text("Hi"), text(" there"), *END))

    async def stream(self, request: web.Request, *parts: bytes | Awaitable[object]) -> web.StreamResponse:
        """An event stream; an awaitable among the parts is waited for in its place."""
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "request-id": "req_1"})
        await response.prepare(request)
        for part in parts:
            if isinstance(part, bytes):
                await response.write(part)
            else:
                await part
        return response


def failing(status: int, kind: str = "api_error", message: str = "no", **headers: str) -> Behaviour:
    """A behaviour that answers with an API error."""

    async def behave(_request: web.Request) -> web.StreamResponse:
        body = {"type": "error", "error": {"type": kind, "message": message}}
        return web.json_response(body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return behave


def failing_page(status: int) -> Behaviour:
    """A behaviour that answers with a page of somebody's in between."""

    async def behave(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="<html>down</html>", content_type="text/html")

    return behave


class Adapter:
    """The running adapter, and a client on its socket."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def ask(self, *, stream: bool = False, **fields: Any) -> httpx.Response:
        headers = fields.pop("headers", {})
        body = {"messages": [{"role": "user", "content": "Hello"}], "stream": stream, **fields}
        return await self.client.post("/v1/chat/completions", json=body, headers=headers)

    async def state(self) -> dict[str, Any]:
        document: dict[str, Any] = (await self.client.get("/state")).json()
        return document

    async def until(self, holds: Callable[[dict[str, Any]], bool], seconds: float = 8.0) -> dict[str, Any]:
        """The first `/state` for which `holds`; fails at the deadline."""
        deadline = time.monotonic() + seconds
        while not holds(state := await self.state()):
            assert time.monotonic() < deadline, state
            await asyncio.sleep(0.02)
        return state


Running = Callable[..., AbstractAsyncContextManager[Adapter]]
