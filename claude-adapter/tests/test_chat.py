"""Requests through the real adapter on its real socket."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from claude_rig import END, START, TEXT_START, Adapter, Behaviour, Running, Upstream, failing, sse, text


def raw(body: bytes, content_type: str, status: int = 200) -> Behaviour:
    """A behaviour that answers with this body."""

    async def behave(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers={"content-type": content_type})

    return behave


def streaming(upstream: Upstream, *parts: Callable[[], Awaitable[object]] | bytes) -> Behaviour:
    """A behaviour that streams these parts; a callable is awaited in its place."""

    async def behave(request: web.Request) -> web.StreamResponse:
        return await upstream.stream(request, *[part if isinstance(part, bytes) else part() for part in parts])

    return behave


def events_of(reply: httpx.Response) -> list[str]:
    return [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line]


async def forever() -> None:
    await asyncio.Event().wait()


async def test_whole_reply(adapter: Adapter, upstream: Upstream) -> None:
    """A unary request is answered whole, with the true model, and was asked for in the agreed way."""
    reply = await adapter.ask(user="u1")
    assert reply.status_code == 200
    assert reply.json()["choices"][0]["message"]["content"] == "Hi there"
    assert reply.json()["model"] == reply.headers["x-model"] == "claude-sonnet-5-5"
    assert reply.headers["x-served-by"] == "claude"
    assert reply.headers["request-id"] == "req_1"
    _, headers, body = upstream.seen[-1]
    assert headers["authorization"] == "Bearer sk-ant-one"
    assert "x-api-key" not in headers
    assert headers["anthropic-version"] == "2023-06-01"
    assert (body["stream"], body["metadata"]) == (True, {"user_id": "u1"})


async def test_environment_is_not_asked_for_credentials(
    running: Running, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the SDK would read from the environment, only our key is sent."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "other")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Api-Key: other\nAuthorization: other")
    async with running() as adapter:
        await adapter.ask()
    assert all(headers["authorization"] == "Bearer sk-ant-one" for _, headers, _ in upstream.seen)
    assert not any("x-api-key" in headers for _, headers, _ in upstream.seen)


async def test_stream(adapter: Adapter) -> None:
    """A stream has its role, its deltas, a finish reason, the usage when asked for, and one `[DONE]`."""
    reply = await adapter.ask(stream=True, stream_options={"include_usage": True})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["x-model"] == "claude-sonnet-5-5"
    *chunks, done = events_of(reply)
    assert done == "[DONE]"
    parsed = [orjson.loads(chunk) for chunk in chunks]
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in parsed[:-1]) == "Hi there"
    assert parsed[-2]["choices"][0]["finish_reason"] == "stop"
    assert parsed[-1]["usage"]["completion_tokens"] == 3
    assert reply.text.count("[DONE]") == 1


async def test_arguments_nested_too_deeply_go_on_as_their_text(adapter: Adapter) -> None:
    """A tool call's arguments are a text within the request, which becomes JSON only here, if it can be written."""
    function = {"name": "f", "arguments": '{"a": ' + "[" * 300 + "]" * 300 + "}"}
    call = {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": function}]}
    result = {"role": "tool", "tool_call_id": "a", "content": "x"}
    reply = await adapter.ask(messages=[{"role": "user", "content": "Hi"}, call, result])
    assert reply.status_code == 200


async def test_connection_is_reused(adapter: Adapter, upstream: Upstream) -> None:
    """A complete reply leaves its connection to the next request: no handshake each time."""
    peers = set()

    async def behave(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return await upstream.answer(request)

    upstream.messages = behave
    for stream in (True, False, True):
        assert (await adapter.ask(stream=stream)).status_code == 200
    assert len(peers) == 1


async def test_head_is_held_and_deltas_are_not(adapter: Adapter, upstream: Upstream) -> None:
    """No head before the first content; then each delta is with the client before the next one is made."""
    first, second = asyncio.Event(), asyncio.Event()
    parts = sse(START, {"type": "ping"}, TEXT_START), first.wait, sse(text("one")), second.wait, sse(text("two"), *END)
    upstream.messages = streaming(upstream, *parts)
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
    answer = adapter.client.send(adapter.client.build_request("POST", "/v1/chat/completions", json=body), stream=True)
    head = asyncio.create_task(answer)
    await upstream.asked.wait()
    done, _ = await asyncio.wait([head], timeout=0.2)
    assert not done
    first.set()
    reply = await head
    chunks = reply.aiter_text()
    seen = ""
    while '"one"' not in seen:
        seen += await anext(chunks)
    assert not second.is_set()
    second.set()
    seen += "".join([chunk async for chunk in chunks])
    assert seen.endswith("data: [DONE]\n\n")
    await reply.aclose()


BROKEN: dict[str, tuple[Behaviour, str]] = {
    "401": (failing(401, "authentication_error"), "auth"),
    "429": (failing(429, "rate_limit_error", retry_after="20"), "rate_limit"),
    "500": (failing(500), "server_error"),
    "529": (failing(529, "overloaded_error"), "overloaded"),
    "503 HTML": (raw(b"<html>", "text/html", 503), "server_error"),
    "portal": (raw(b"<html>", "text/html"), "protocol"),
    "redirect": (raw(b"", "text/html", 302), "protocol"),
    "empty": (raw(b"", "text/event-stream"), "protocol"),
    "JSON in place of a stream": (raw(b"{", "application/json"), "protocol"),
    "garbage in the stream": (raw(b"data: oops\n\n", "text/event-stream"), "protocol"),
    "an event that is no object": (raw(b"data: 7\n\n", "text/event-stream"), "protocol"),
    "truncated": (raw(sse(START)[:-9], "text/event-stream"), "protocol"),
    "error before content": (
        raw(sse(START, {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}), "text/event-stream"),
        "overloaded",
    ),
    "error in the same read as content": (
        raw(sse(START, text("a"), {"type": "error", "error": {"type": "api_error"}}), "text/event-stream"),
        "server_error",
    ),
    "events of a wrong shape": (
        raw(sse({"type": "content_block_delta", "delta": "x"}), "text/event-stream"),
        "protocol",
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
async def test_falls_back(adapter: Adapter, upstream: Upstream, case: tuple[Behaviour, str], stream: bool) -> None:
    """Claude's failures before content end as a 503 with the reason, also for those who ask later by request id."""
    upstream.messages, reason = case
    reply = await adapter.ask(stream=stream, headers={"X-Request-Id": "r-1"})
    assert reply.status_code == 503
    assert reply.headers["x-fallback-reason"] == reason
    assert (await adapter.client.get("/reasons/r-1")).json() == {"reason": reason}
    assert (await adapter.client.get("/reasons/r-2")).status_code == 404


@pytest.mark.parametrize(
    ("base_url", "reason"),
    [("http://127.0.0.1:{port}", "connect"), ("https://127.0.0.1:{port}", "connect")],
    ids=["refused", "no TLS there"],
)
async def test_no_connection(running: Running, upstream: Upstream, base_url: str, reason: str) -> None:
    """Nobody there, or nobody who speaks TLS: `connect`, at once."""
    url = base_url.format(port=upstream.port)
    if base_url.startswith("http:"):
        await upstream.stop()
    async with running(anthropic_base_url=url) as adapter:
        reply = await adapter.ask()
        assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, reason)


@pytest.mark.parametrize("hello", [b"\x00\x01garbage\r\n\r\n", b""], ids=["garbage", "hangs up"])
async def test_peer_that_does_not_speak_http(running: Running, hello: bytes) -> None:
    """Something else on that port is a fallback like any other."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(anthropic_base_url=f"http://127.0.0.1:{port}") as adapter:
        reply = await adapter.ask()
        assert reply.status_code == 503
        assert reply.headers["x-fallback-reason"] == ("protocol" if hello else "connect")
    server.close()
    await server.wait_closed()


async def test_connect_timeout(running: Running) -> None:
    """Where no packet comes back, the connect timeout ends the wait."""
    with socket.socket() as deaf, socket.socket() as filler, socket.socket() as filler_too:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)  # a full backlog drops further handshakes: as silent as a black hole
        for sock in (filler, filler_too):
            sock.setblocking(False)
            with suppress(BlockingIOError):
                sock.connect(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with running(anthropic_base_url=url, claude_connect_seconds=0.3) as adapter:
            reply = await adapter.ask()
            assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, "timeout")


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(
    "parts",
    [(), (sse(START, {"type": "ping"}, TEXT_START),)],
    ids=["no head", "no content"],
)
async def test_first_token(running: Running, upstream: Upstream, parts: tuple[bytes, ...], stream: bool) -> None:
    """Silence, or nothing but pings, up to the limit: `first_token`."""

    async def behave(request: web.Request) -> web.StreamResponse:
        if not parts:
            await forever()
        return await upstream.stream(request, *parts, forever())

    upstream.messages = behave
    async with running(claude_first_token_seconds=0.3) as adapter:
        reply = await adapter.ask(stream=stream)
        assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, "first_token")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_one_slow_request_proves_nothing(running: Running, upstream: Upstream, path: str, stream: bool) -> None:
    """Its own answer falls back; who was answered meanwhile goes on being answered by Claude."""

    async def behave(request: web.Request) -> web.StreamResponse:
        if b"slow" in await request.read():
            await forever()
        return await upstream.answer(request)

    upstream.messages = behave
    slow = {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "slow"}], "stream": stream}
    async with running(claude_first_token_seconds=2) as adapter:
        asking = asyncio.create_task(adapter.client.post(path, json=slow | {"max_tokens": 1}))
        await upstream.asked.wait()
        assert (await adapter.ask(model="claude-sonnet-5-5")).status_code == 200
        reply = await asking
        assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, "first_token")
        assert (await adapter.state())["state"] == "closed"
        assert (await adapter.ask(model="claude-sonnet-5-5")).status_code == 200


async def test_stall_in_a_whole_reply(running: Running, upstream: Upstream) -> None:
    """Silence in the middle of a unary reply is a fallback: the part is dropped."""
    upstream.messages = streaming(upstream, sse(START, text("a")), forever)
    async with running(claude_stall_seconds=0.3) as adapter:
        reply = await adapter.ask()
        assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, "stall")


@pytest.mark.parametrize(
    "asked",
    [{"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning_effort": "low"}, {}],
    ids=["thinking", "reasoning_effort", "unasked"],
)
async def test_thinking_may_be_silent_for_longer(running: Running, upstream: Upstream, asked: dict[str, Any]) -> None:
    """While Claude thinks, asked to or not, the stall clock runs ten times slower, and begins with the thinking."""
    begins = {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}
    pause = asyncio.Event()
    upstream.messages = streaming(upstream, sse(START, begins), pause.wait, sse(text("a"), *END))
    async with running(claude_first_token_seconds=0.3, claude_stall_seconds=1) as adapter:
        asking = asyncio.create_task(adapter.ask(**asked))
        done, _ = await asyncio.wait([asking], timeout=1.3)
        assert not done
        pause.set()
        assert (await asking).status_code == 200


async def error_event() -> bytes:
    return sse({"type": "error", "error": {"type": "overloaded_error", "message": "no"}})


@pytest.mark.parametrize("how", ["error", "cut", "end", "stall"])
async def test_break_after_content(running: Running, upstream: Upstream, how: str) -> None:
    """After content a stream ends with one error chunk and no `[DONE]`; nothing pretends to be complete."""
    reason = {"error": "overloaded", "cut": "connect", "end": "protocol", "stall": "stall"}[how]
    delivered = asyncio.Event()

    async def behave(request: web.Request) -> web.StreamResponse:
        async def break_it() -> None:
            await delivered.wait()
            if how == "stall":
                await forever()
            if how == "cut":
                assert request.transport is not None
                request.transport.abort()

        broken = await error_event() if how == "error" else b""
        return await upstream.stream(request, sse(START, text("a")), break_it(), *([broken] if broken else []))

    upstream.messages = behave
    async with running(claude_stall_seconds=0.5) as adapter:
        body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
        async with adapter.client.stream("POST", "/v1/chat/completions", json=body) as reply:
            assert reply.status_code == 200
            chunks = reply.aiter_text()
            seen = await anext(chunks)
            delivered.set()
            seen += "".join([chunk async for chunk in chunks])
        *_, last, empty = seen.split("\n\n")
        assert empty == ""
        error = orjson.loads(last.removeprefix("data: "))["error"]
        assert (error["type"], error["code"]) == ("server_error", reason)
        assert "[DONE]" not in seen


async def test_missing_goodbye(adapter: Adapter, upstream: Upstream) -> None:
    """When the reply is complete but for `message_stop`, it is complete."""
    upstream.messages = raw(sse(START, text("a"), *END[:-1]), "text/event-stream")
    reply = await adapter.ask(stream=True)
    assert events_of(reply)[-1] == "[DONE]"


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_clients_own_mistake(adapter: Adapter, upstream: Upstream, stream: bool) -> None:
    """What Claude refuses for the client's own mistake is passed on, and Claude counts as well."""
    upstream.messages = failing(400, "invalid_request_error", "messages: too odd")
    reply = await adapter.ask(stream=stream)
    assert reply.status_code == 400
    assert reply.json()["error"] == {
        "message": "messages: too odd",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
    state = await adapter.state()
    assert state["usable"]
    assert state["last_success"]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_conversation_that_is_too_long(adapter: Adapter, upstream: Upstream, stream: bool) -> None:
    """Claude's words, and the code on which OpenAI's clients make it shorter."""
    upstream.messages = failing(400, "invalid_request_error", "prompt is too long: 210118 tokens > 200000 maximum")
    reply = await adapter.ask(stream=stream)
    assert reply.status_code == 400
    assert reply.json()["error"] == {
        "message": "prompt is too long: 210118 tokens > 200000 maximum",
        "type": "invalid_request_error",
        "param": None,
        "code": "context_length_exceeded",
    }


@pytest.mark.parametrize("cache", ["on", "off"])
async def test_the_prompt_cache_is_asked_for(running: Running, upstream: Upstream, cache: str) -> None:
    """Unless the operator does not want it."""
    async with running(claude_cache=cache) as adapter:
        await adapter.ask()
    [block] = upstream.seen[-1][2]["messages"][0]["content"]
    assert ("cache_control" in block) == (cache == "on")


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (b"", 400, None),
        (b"\xff", 400, None),
        (b'{"messages":[{"role":"user","content":"x"}],"n":2}', 400, "n"),
        (b'{"messages":[{"role":"user","content":"x"}],"stream":"yes"}', 400, "stream"),
        (b'{"messages":[{"role":"user","content":[{"type":"text"}]}]}', 400, "text"),
        (b" " * (32 * 1024 * 1024 + 1), 413, None),
    ],
)
async def test_bad_body(adapter: Adapter, upstream: Upstream, body: bytes, status: int, param: str | None) -> None:
    """A bad request is refused here, with the field's name, and never sent."""
    reply = await adapter.client.post("/v1/chat/completions", content=body)
    assert reply.status_code == status
    error = reply.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert (error["param"] or "").endswith(param or "")
    assert upstream.count("/v1/messages") == 0


async def test_unknown_path_and_method(adapter: Adapter) -> None:
    """Wrong paths and methods are refused in OpenAI's shape, too."""
    for path, status in (("/nowhere", 404), ("/v1/chat/completions", 405)):
        reply = await adapter.client.get(path)
        assert reply.status_code == status
        assert reply.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("before", [b"", sse(START, text("a"))], ids=["before content", "after content"])
async def test_client_leaves(adapter: Adapter, upstream: Upstream, before: bytes, stream: bool) -> None:
    """A client that leaves stops the work at Claude at once, and counts neither for nor against Claude."""
    left = asyncio.Event()

    async def behave(request: web.Request) -> web.StreamResponse:
        try:
            return await upstream.stream(request, *([before] if before else []), forever())
        finally:
            left.set()

    upstream.messages = behave
    asking = asyncio.create_task(adapter.ask(stream=stream))
    await upstream.asked.wait()
    asking.cancel()
    await asyncio.wait_for(left.wait(), 3)
    metrics = (await adapter.client.get("/metrics")).text
    assert 'pilotlight_claude_requests_total{outcome="client_gone"} 1.0' in metrics
    assert (await adapter.state())["last_failure"] is None
