"""The gateway's app between Unix-socket fakes for nginx' upstream and for both services, and what those may answer."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import orjson

from gateway.app import create_app
from gateway.settings import Settings
from odd_service import HEALTH, STATE, OddService, response

CLAUDE = "X-Served-By: claude", "X-Model: claude-x"
LOCAL = "X-Served-By: local", "X-Model: small"
DENIED = STATE | {"state": "open", "reason": "auth", "detail": "Anthropic rejected the API key."}

ASKED = {"model": "pilot", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": ASKED,
    "/v1/messages": ASKED,
    "/v1/responses": {"model": "pilot", "input": "hi"},
}


def chat(text: str) -> bytes:
    """A whole chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return orjson.dumps({"id": "c", "created": 1, "model": "m", "choices": [choice], "usage": usage})


def message(text: str) -> bytes:
    """A whole message."""
    return orjson.dumps({"type": "message", "model": "m", "content": [{"type": "text", "text": text}]})


def whole(path: str, text: str) -> bytes:
    """A whole answer as the backends give it for this path."""
    return message(text) if path == "/v1/messages" else chat(text)


def chunk(text: str, finish_reason: str | None = None) -> bytes:
    """A chunk of a stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return b"data: " + orjson.dumps({"id": "c", "created": 1, "model": "m", "choices": [choice]}) + b"\n\n"


def streamed(path: str, text: str, headers: tuple[str, str]) -> bytes:
    """A whole answer as the backends stream it for this path."""
    if path != "/v1/messages":
        return stream(chunk(""), chunk(text), chunk("", "stop"), b"data: [DONE]\n\n", headers=headers)
    delta = {"type": "text_delta", "text": text}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "m", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return stream(
        *(f"event: {event['type']}\ndata: ".encode() + orjson.dumps(event) + b"\n\n" for event in events),
        headers=headers,
    )


def stream(*events: bytes, headers: tuple[str, str] = CLAUDE, cut: bool = False) -> bytes:
    """An event stream; `cut` off before its end."""
    body = b"".join(events)
    head = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", f"Content-Length: {len(body) + cut}", *headers]
    return "\r\n".join([*head, "Connection: close"]).encode() + b"\r\n\r\n" + body


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error object of either dialect."""
    error: dict[str, Any] = answer.json()["error"]
    return error


class Rig:
    """The gateway's app between fakes for nginx' upstream and for both services."""

    def __init__(self, nginx: OddService, claude: OddService, local: OddService, client: httpx.AsyncClient) -> None:
        self.nginx, self.claude, self.local, self.client = nginx, claude, local, client

    async def ask(self, path: str = "/v1/chat/completions", **more: Any) -> httpx.Response:
        """One request."""
        return await self.client.post(path, json=BODIES[path] | more)

    async def until(self, what: str, backend: str) -> None:
        """Until the status names this backend; fails after the deadline."""
        deadline = time.monotonic() + 10
        while (await self.client.get("/status")).json()["active_backend"] != backend:
            assert time.monotonic() < deadline, what
            await asyncio.sleep(0.01)

    async def read_metrics(self) -> str:
        """The gateway's metrics."""
        return (await self.client.get("/metrics")).text


@contextlib.asynccontextmanager
async def gateway_rig(run_dir: Path, **settings: Any) -> AsyncIterator[Rig]:
    """Claude answers, local is ready."""
    services = {name: OddService() for name in ("brains", "claude", "local")}
    services["claude"].answer = response(orjson.dumps(STATE))
    services["local"].answer = response(orjson.dumps(HEALTH))
    app: Any = create_app(Settings(pilot_run_dir=run_dir, **settings))
    async with contextlib.AsyncExitStack() as stack:
        for name, service in services.items():
            await stack.enter_async_context(service.listening(run_dir / f"{name}.sock"))
        await stack.enter_async_context(lifespan(app))
        transport = httpx.ASGITransport(app)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://gateway"))
        yield Rig(services["brains"], services["claude"], services["local"], client)


@contextlib.asynccontextmanager
async def lifespan(app: Callable[..., Any]) -> AsyncIterator[None]:
    """The app's own lifespan, as a server would run it."""
    to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    from_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, to_app.get, from_app.put))
    await to_app.put({"type": "lifespan.startup"})
    assert (await asyncio.wait_for(from_app.get(), 10))["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(running, 10)
