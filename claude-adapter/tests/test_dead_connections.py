"""A connection to Claude that died while it was idle costs one more try, and nobody their answer."""

import asyncio
import errno
import socket
import struct
from typing import Any
from weakref import WeakSet

import aiohttp
import httpx
import pytest
from aiohttp import web
from claude_rig import Adapter, Behaviour, Running, Upstream
from yarl import URL

from claude_adapter.upstream.client import Claude
from claude_adapter.upstream.connections import Connections, DeadConnectionError
from claude_adapter.upstream.upstream_error import UpstreamError

WHOLE = {"type": "message", "model": "claude-z", "content": [], "usage": {}}
QUESTION = {"model": "claude-z", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
ROUTES = ["chat", "chat, streamed", "Messages", "Messages, streamed", "count_tokens", "models"]
RETRIED = 'pilotlight_claude_retries_total{reason="connect"} 1.0'


class Kept:
    """Wraps the upstream's behaviours: while `dead`, a connection that has brought a request before is cut."""

    def __init__(self, upstream: Upstream) -> None:
        self.dead = ""
        self._used: WeakSet[Any] = WeakSet()
        upstream.messages = self._cut_or(self._genuine(upstream))
        upstream.models = self._cut_or(upstream.list_models)

    def _cut_or(self, behave: Behaviour) -> Behaviour:
        async def wrapped(request: web.Request) -> web.StreamResponse:
            reused = request.transport in self._used
            self._used.add(request.transport)
            if not (self.dead and reused):
                return await behave(request)
            assert request.transport is not None
            if self.dead == "half a head":
                request.transport.write(b"HTTP/1.1 200 OK\r\ncontent-ty")
            if self.dead == "reset":
                linger = struct.pack("ii", 1, 0)
                request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                request.transport.abort()
            else:
                request.transport.close()
            await asyncio.Event().wait()
            raise AssertionError("nobody sets this event")

        return wrapped

    def _genuine(self, upstream: Upstream) -> Behaviour:
        async def behave(request: web.Request) -> web.StreamResponse:
            if request.path.endswith("count_tokens"):
                return web.json_response({"input_tokens": 7})
            if not (await request.json()).get("stream"):
                return web.json_response(WHOLE)
            return await upstream.answer(request)

        return behave


@pytest.fixture
def kept(upstream: Upstream) -> Kept:
    return Kept(upstream)


async def ask(adapter: Adapter, route: str) -> httpx.Response:
    """One request of this kind."""
    stream = route.endswith("streamed")
    if route.startswith("chat"):
        return await adapter.ask(stream=stream)
    if route == "models":
        return await adapter.client.get("/v1/models")
    path = "/v1/messages/count_tokens" if route == "count_tokens" else "/v1/messages"
    return await adapter.client.post(path, json={**QUESTION, "stream": stream})


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("death", ["close", "reset"])
async def test_claude_answers_over_a_new_connection(running: Running, kept: Kept, route: str, death: str) -> None:
    """Whatever is asked for: Claude answers, and nothing counts as a failure."""
    async with running() as adapter:
        await adapter.until(lambda state: state["probe"]["result"] == "ok")
        assert (await adapter.ask()).status_code == 200
        kept.dead = death
        reply = await ask(adapter, route)
        assert (reply.status_code, reply.headers["x-served-by"]) == (200, "claude")
        state = await adapter.state()
        assert (state["state"], state["last_failure"]) == ("closed", None)


async def test_the_second_try_is_counted_and_over_a_new_connection(
    running: Running, upstream: Upstream, kept: Kept
) -> None:
    """Of many dead connections only one is met: the next try does not take another kept one."""
    async with running() as adapter:
        await adapter.until(lambda state: state["probe"]["result"] == "ok")
        await asyncio.gather(*(adapter.ask() for _ in range(8)))
        kept.dead = "reset"
        asked = upstream.count("/v1/messages")
        assert (await adapter.ask()).status_code == 200
        assert upstream.count("/v1/messages") - asked == 2
        assert RETRIED in (await adapter.client.get("/metrics")).text


async def test_a_probe_tries_again_too(upstream: Upstream, kept: Kept) -> None:
    """A probe over a dead connection says what a new one says."""
    claude = Claude(upstream.base_url, None, 2.0)
    claude.use_key("sk-ant-one")
    assert await claude.probe() == "ok"
    kept.dead = "close"
    assert await claude.probe() == "ok"
    await claude.close()


async def test_a_new_connection_that_breaks_is_a_failure(upstream: Upstream) -> None:
    """What dies on a new connection was not dead before: patience decides whether it is sent again."""

    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return await asyncio.Event().wait()  # type: ignore[return-value]  # never answers

    upstream.messages = cut
    claude = Claude(upstream.base_url, None, 2.0)
    with pytest.raises(UpstreamError, match="broke") as broken:
        await claude.send(b"{}")
    assert upstream.count("/v1/messages") == 1
    assert not broken.value.verdict.dead_connection  # type: ignore[union-attr]  # no mistake of the client's
    await claude.close()


async def test_half_an_answer_is_not_asked_for_again(running: Running, upstream: Upstream, kept: Kept) -> None:
    """Once something of an answer has come the connection was not dead, and without patience that is a failure."""
    async with running() as adapter:
        await adapter.until(lambda state: state["probe"]["result"] == "ok")
        await adapter.ask()
        kept.dead = "half a head"
        asked = upstream.count("/v1/messages")
        assert (await adapter.ask()).status_code == 503
        assert upstream.count("/v1/messages") - asked == 1


async def test_a_black_holed_connection_is_dead(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept connection on which nothing is acknowledged any more ends with ETIMEDOUT: a new one may well answer."""
    genuine = aiohttp.ClientSession.request
    tries: list[str] = []

    def request(self: aiohttp.ClientSession, method: str, url: URL, **options: Any) -> Any:
        tries.append(str(url))
        if len(tries) > 1:
            return genuine(self, method, url, **options)
        options["trace_request_ctx"].reused = True
        raise aiohttp.ClientOSError(errno.ETIMEDOUT, "Connection timed out")

    monkeypatch.setattr(aiohttp.ClientSession, "request", request)
    connections, models = Connections(None, 2.0), URL(f"{upstream.base_url}/v1/models")
    with pytest.raises(DeadConnectionError):
        await connections.request("GET", models, {}, b"")
    answer = await connections.request("GET", models, {}, b"")
    assert answer.status == 200
    await answer.close()
    await connections.close()
    assert len(tries) == 2
