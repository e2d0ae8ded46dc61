"""Patience on the real adapter: a hiccup of Claude's costs a moment, and a tool loop outlives an outage."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from claude_rig import START, TEXT_START, Adapter, Behaviour, Running, Upstream, failing, failing_page, sse, text

WHOLE = {"type": "message", "model": "claude-z", "content": [], "usage": {}}
ROUTES = ["chat", "chat, streamed", "Messages", "Messages, streamed", "count_tokens"]
STREAMS = [route for route in ROUTES if "streamed" in route]
QUESTION = {"role": "user", "content": "Hi"}
CALL = {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CHAT_LOOP = [
    QUESTION,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "toolu_1", "content": "Nothing."},
]
MESSAGES_LOOP = [
    QUESTION,
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Nothing."}]},
]


async def ask(adapter: Adapter, route: str, *, in_tool_loop: bool = False, **headers: str) -> httpx.Response:
    """One request of this kind, by header names with underscores."""
    path = "/v1/messages/count_tokens" if route == "count_tokens" else "/v1/messages"
    messages, path = (CHAT_LOOP, "/v1/chat/completions") if route.startswith("chat") else (MESSAGES_LOOP, path)
    body = {
        "model": "claude-z",
        "max_tokens": 9,
        "messages": messages if in_tool_loop else [QUESTION],
        "stream": route.endswith("streamed"),
    }
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await adapter.client.post(path, json=body, headers=sent)


async def answer_whole(upstream: Upstream, request: web.Request) -> web.StreamResponse:
    """What a well Claude answers on each route."""
    if request.path.endswith("count_tokens"):
        return web.json_response({"input_tokens": 7})
    if not (await request.json()).get("stream"):
        return web.json_response(WHOLE)
    return await upstream.answer(request)


def in_turn(upstream: Upstream, *behaviours: Behaviour) -> Behaviour:
    """Each of these once, then well."""
    left = list(behaviours)

    async def behave(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0)(request) if left else answer_whole(upstream, request))

    return behave


async def cut(request: web.Request) -> web.StreamResponse:
    """Take the request, and close."""
    assert request.transport is not None
    request.transport.close()
    await asyncio.Event().wait()
    raise AssertionError("nobody sets this event")


def streaming(*events: dict[str, Any], then_cut: bool = False) -> Behaviour:
    """A stream of these events, and no more."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(sse(*events))
        if then_cut:
            await cut(request)
        return response

    return behave


@contextlib.asynccontextmanager
async def patient(running: Running, **fields: Any) -> AsyncIterator[Adapter]:
    """An adapter whose patience outlasts a slow machine, after its first probe."""
    async with running(**{"claude_patience_seconds": 50, "claude_tool_patience_seconds": 50, **fields}) as adapter:
        await adapter.until(lambda state: state["probe"]["result"] == "ok")
        yield adapter


async def metric(adapter: Adapter, series: str) -> float:
    """The value of one series."""
    for line in (await adapter.client.get("/metrics")).text.splitlines():
        if line.startswith(f"{series} "):
            return float(line.rpartition(" ")[2])
    return 0.0


OVERLOADED_EVENT = {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
HICCUPS: list[tuple[str, Behaviour, str]] = [
    ("529", failing(529, "overloaded_error"), "overloaded"),
    ("500", failing(500), "server_error"),
    ("a proxy's 503", failing_page(503), "server_error"),
    ("504", failing(504, "timeout_error"), "timeout"),
    ("429 that is soon over", failing(429, "rate_limit_error", retry_after="0.1"), "rate_limit"),
    ("a connection that breaks", cut, "connect"),
]
STREAM_HICCUPS: list[tuple[str, Behaviour, str]] = [
    ("overloaded in the stream", streaming(START, OVERLOADED_EVENT), "overloaded"),
    ("a stream that breaks", streaming(START, TEXT_START, then_cut=True), "connect"),
    ("a stream that just ends", streaming(START, TEXT_START), "protocol"),
]


@pytest.mark.parametrize("route", ROUTES)
async def test_a_hiccup_is_not_noticed(running: Running, upstream: Upstream, route: str) -> None:
    """Whatever it is and whatever is asked for: Claude answers, the retry is counted, the breaker learns nothing."""
    hiccups = HICCUPS + (STREAM_HICCUPS if route in STREAMS else [])
    async with patient(running) as adapter:
        for why, behave, reason in hiccups:
            series = f'pilotlight_claude_retries_total{{reason="{reason}"}}'
            before, asked = await metric(adapter, series), len(upstream.seen)
            upstream.messages = in_turn(upstream, behave)
            reply = await ask(adapter, route)
            assert (reply.status_code, reply.headers["x-served-by"]) == (200, "claude"), why
            assert len(upstream.seen) - asked == 2, why
            assert await metric(adapter, series) == before + 1, why
        state = await adapter.state()
        assert (state["state"], state["last_failure"]) == ("closed", None)


AT_ONCE: list[tuple[str, Behaviour]] = [
    ("401", failing(401, "authentication_error")),
    ("402", failing(402, "billing_error")),
    ("403", failing(403, "permission_error")),
    ("404", failing(404, "not_found_error", "model: claude-z")),
    ("a limit that lasts", failing(429, "rate_limit_error", retry_after="60")),
    ("a portal's page", failing_page(200)),
]


@pytest.mark.parametrize("in_tool_loop", [False, True], ids=["words", "tool loop"])
@pytest.mark.parametrize("behave", [case[1] for case in AT_ONCE], ids=[case[0] for case in AT_ONCE])
async def test_what_does_not_pass_is_not_waited_for(
    running: Running, upstream: Upstream, behave: Behaviour, in_tool_loop: bool
) -> None:
    """One attempt, in a tool loop as well; and none while the breaker is open."""
    upstream.messages = behave
    async with patient(running) as adapter:
        for _ in range(2):
            reply = await asyncio.wait_for(ask(adapter, "chat", in_tool_loop=in_tool_loop), 20)
            assert reply.status_code == 503
            if (await adapter.state())["state"] == "closed" and not (await adapter.state())["models"]:
                break  # of a 403 or a page a probe that is well says that others may go on
    assert upstream.count("/v1/messages") == 1


async def test_a_client_that_is_wrong_is_told_at_once(running: Running, upstream: Upstream) -> None:
    """Its own mistake would be as wrong again."""
    upstream.messages = failing(400, "invalid_request_error", "messages: wrong")
    async with patient(running) as adapter:
        assert (await ask(adapter, "Messages", in_tool_loop=True)).status_code == 400
    assert upstream.count("/v1/messages") == 1


@pytest.mark.parametrize("route", ["chat", "chat, streamed", "Messages, streamed", "Messages"])
@pytest.mark.parametrize("in_tool_loop", [False, True], ids=["words", "tool loop"])
async def test_what_was_partly_answered_is_not_asked_again(
    running: Running, upstream: Upstream, route: str, in_tool_loop: bool
) -> None:
    """Once Claude's first words have come it is too late, whether or not the client has them yet."""

    async def half_a_body(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "999"})
        await response.prepare(request)
        await response.write(b'{"type":"message",')
        return await cut(request)

    half_a_stream = streaming(START, TEXT_START, text("Hi"), then_cut=True)
    upstream.messages = in_turn(upstream, half_a_body if route == "Messages" else half_a_stream)
    async with patient(running) as adapter:
        with contextlib.suppress(httpx.RemoteProtocolError):
            reply = await ask(adapter, route, in_tool_loop=in_tool_loop)
            assert reply.status_code == (200 if route in STREAMS else 503)
    assert upstream.count("/v1/messages") == 1


async def test_an_outage_costs_the_patience_once(running: Running, upstream: Upstream) -> None:
    """The first request tries until its patience is over, and only then the breaker opens; the next is not tried."""
    async with patient(running, claude_patience_seconds=2) as adapter:
        upstream.messages = upstream.models = failing(529, "overloaded_error")
        first = asyncio.create_task(ask(adapter, "chat"))
        await asyncio.wait_for(upstream.asked.wait(), 10)
        assert (await adapter.state())["last_failure"] is None
        assert (await first).headers["x-fallback-reason"] == "overloaded"
        attempts = upstream.count("/v1/messages")
        assert 2 <= attempts <= 5
        assert await metric(adapter, 'pilotlight_breaker_opens_total{reason="overloaded"}') >= 1
        assert (await ask(adapter, "chat")).status_code == 503
        assert upstream.count("/v1/messages") == attempts


async def test_who_waits_for_words_stops_when_the_breaker_opens(running: Running, upstream: Upstream) -> None:
    """What another has found out in the meantime ends the wait, long before its own time."""
    upstream.messages = failing(529, "overloaded_error", retry_after="30")
    async with patient(running) as adapter:
        waiting = asyncio.create_task(ask(adapter, "chat"))
        await asyncio.wait_for(upstream.asked.wait(), 10)
        assert (await adapter.client.post("/drill", json={"seconds": 60})).status_code == 200
        reply = await asyncio.wait_for(waiting, 20)
        assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, "drill")
    assert upstream.count("/v1/messages") == 1


@pytest.mark.parametrize("route", ["chat", "Messages, streamed"])
async def test_a_client_that_leaves_ends_the_wait(running: Running, upstream: Upstream, route: str) -> None:
    """Nothing is sent to Claude for nobody, in words and in a tool loop alike."""
    upstream.messages = failing(529, "overloaded_error", retry_after="0.5")
    async with patient(running) as adapter:
        for number, in_tool_loop in enumerate((False, True), 1):
            upstream.asked.clear()
            waiting = asyncio.create_task(ask(adapter, route, in_tool_loop=in_tool_loop))
            await asyncio.wait_for(upstream.asked.wait(), 10)
            waiting.cancel()
            deadline = time.monotonic() + 10
            while await metric(adapter, 'pilotlight_claude_requests_total{outcome="client_gone"}') < number:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)
            assert upstream.count("/v1/messages") == number


@pytest.mark.parametrize("route", ["chat", "chat, streamed", "Messages", "Messages, streamed"])
async def test_a_tool_loop_outlives_an_outage(running: Running, upstream: Upstream, route: str) -> None:
    """Claude is gone for a while: the step waits, through an open breaker, and Claude answers it when it is back."""
    upstream.messages = in_turn(upstream)
    async with patient(running) as adapter:
        await upstream.stop()
        step = asyncio.create_task(ask(adapter, route, in_tool_loop=True))
        await adapter.until(lambda state: state["state"] == "open")
        assert (await ask(adapter, route)).headers["x-fallback-reason"] == "connect"  # words do not wait
        late = asyncio.create_task(ask(adapter, route, in_tool_loop=True))
        await upstream.start()
        for reply in await asyncio.wait_for(asyncio.gather(step, late), 20):
            assert (reply.status_code, reply.headers["x-served-by"]) == (200, "claude")
        assert upstream.count("/v1/messages") == 2


@pytest.mark.parametrize("reason", ["overloaded", "server_error", "rate_limit"])
async def test_a_tool_loop_outlives_what_claude_has_opened_the_breaker_for(
    running: Running, upstream: Upstream, reason: str
) -> None:
    """With less patience than that takes for words."""
    behave = {
        "overloaded": failing(529, "overloaded_error"),
        "server_error": failing(500),
        "rate_limit": failing(429, "rate_limit_error", retry_after="1"),
    }[reason]
    upstream.messages = in_turn(upstream, behave, behave, behave)
    async with patient(running, claude_patience_seconds=0) as adapter:
        reply = await asyncio.wait_for(ask(adapter, "chat", in_tool_loop=True), 20)
        assert (reply.status_code, reply.headers["x-served-by"]) == (200, "claude")
        assert await metric(adapter, f'pilotlight_claude_retries_total{{reason="{reason}"}}') == 3


async def test_a_tool_loop_does_not_wait_for_ever(running: Running, upstream: Upstream) -> None:
    """Its patience has an end too, and then it falls back with the reason."""
    await upstream.stop()
    async with running(claude_tool_patience_seconds=0.5) as adapter:
        reply = await asyncio.wait_for(ask(adapter, "Messages", in_tool_loop=True), 20)
        assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, "connect")


async def test_claude_or_nothing_is_refused_at_once(running: Running, upstream: Upstream) -> None:
    """Who has said that he wants no other answer wants to know, and asks again himself."""
    await upstream.stop()
    async with running(claude_tool_patience_seconds=50) as adapter:
        await adapter.until(lambda state: state["state"] == "open")
        reply = await asyncio.wait_for(ask(adapter, "chat", in_tool_loop=True, x_pilot_fallback="off"), 20)
        assert reply.status_code == 503


async def test_counting_and_lists_do_not_wait_for_the_end_of_an_outage(running: Running, upstream: Upstream) -> None:
    """Their answer is there without Claude."""
    await upstream.stop()
    async with running(claude_tool_patience_seconds=50) as adapter:
        await adapter.until(lambda state: state["state"] == "open")
        assert (await asyncio.wait_for(ask(adapter, "count_tokens", in_tool_loop=True), 20)).status_code == 503
        assert (await asyncio.wait_for(adapter.client.get("/v1/models"), 20)).status_code == 503


async def test_a_trial_is_asked_once(running: Running, upstream: Upstream) -> None:
    """Who tries whether Claude is back is not made to wait for it, and neither is anybody behind him."""
    upstream.messages = failing(429, "rate_limit_error", retry_after="3")
    async with patient(running, claude_patience_seconds=2) as adapter:
        assert (await ask(adapter, "chat")).status_code == 503
        await adapter.until(lambda state: state["models"]["claude-z"]["state"] == "half_open")
        upstream.messages = failing(529, "overloaded_error")
        assert (await ask(adapter, "chat")).headers["x-fallback-reason"] == "overloaded"
    assert upstream.count("/v1/messages") == 2


@pytest.mark.parametrize("status", [529, 500])
async def test_an_outage_that_no_probe_sees_costs_the_patience_once(
    running: Running, upstream: Upstream, status: int
) -> None:
    """The list of models is well, and closes the breaker again and again: who asks next tries once, until one succeeds.

    Then a hiccup is a hiccup again.
    """
    upstream.messages = failing(status)
    async with patient(running, claude_patience_seconds=2) as adapter:
        for number in range(3):
            await adapter.until(lambda state: state["state"] != "open" and not state["models"])
            asked = upstream.count("/v1/messages")
            body = {"model": "claude-z", "messages": [{"role": "user", "content": f"Number {number}"}]}
            assert (await adapter.client.post("/v1/messages", json=body)).status_code == 503
            assert (upstream.count("/v1/messages") - asked > 1) is (number == 0)
        await adapter.until(lambda state: state["state"] != "open" and not state["models"])
        upstream.messages = in_turn(upstream)
        assert (await ask(adapter, "chat")).status_code == 200
        upstream.messages = in_turn(upstream, failing(status))
        assert (await ask(adapter, "chat")).status_code == 200


async def test_a_body_that_cannot_be_read_in_an_outage(running: Running, upstream: Upstream) -> None:
    """It is the backup's to refuse, as before."""
    await upstream.stop()
    async with running(claude_tool_patience_seconds=50) as adapter:
        await adapter.until(lambda state: state["state"] == "open")
        for body in (b"", b'{"tool', orjson.dumps({"messages": "tool"})):
            assert (await adapter.client.post("/v1/chat/completions", content=body)).status_code == 503
