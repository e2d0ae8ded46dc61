"""Anthropic's own API through the real adapter on its real socket: bytes in, the same bytes out."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from claude_rig import END, START, TEXT_START, Adapter, Behaviour, Running, Upstream, failing, sse, text

from claude_adapter.endpoints.messages import whole_seconds
from claude_adapter.endpoints.messages_stream import RelayedStream

BODY: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
# What a client wrote: its spaces and its order are its own.
ODD_BODY = (
    b'{ "messages": [{"content":"Hi","role":"user"}],\n "model":"claude-opus-5-5", "max_tokens": 9, "new": [1.50] }'
)
FUTURE = b'event: future_event\ndata: {"type":"future_event","x":1e2}\n\n'
ODD_STREAM = (
    b'event: message_start\ndata: {"type": "message_start", '
    b'"message": {"model": "claude-z", "usage": {"input_tokens": 7}}}\n\n' + FUTURE + b": a comment\n\n"
    b"event: content_block_start\n"
    b'data: {"index":0, "content_block":{"type":"future"} ,"type":"content_block_start"}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"future_delta"}   }\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0           }\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"future"},"usage":{"output_tokens":5}}'
    b'\n\nevent: message_stop\ndata: {"type":"message_stop"   }\n\n'
)
WHOLE = (
    b'{"type":"message" , "model":"claude-z", "content":[{"type":"future"}], '
    b'"usage":{"input_tokens":7,"output_tokens":5}}'
)


def answering(body: bytes, content_type: str, status: int = 200, **headers: str) -> Behaviour:
    """A behaviour that answers with these bytes."""

    async def behave(_request: web.Request) -> web.StreamResponse:
        head = {"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return web.Response(body=body, status=status, headers=head)

    return behave


def streaming(upstream: Upstream, *parts: Any) -> Behaviour:
    """A behaviour that streams these parts; an event to wait for is waited for in its place."""

    async def behave(request: web.Request) -> web.StreamResponse:
        return await upstream.stream(
            request, *[part if isinstance(part, bytes) else asyncio.wait_for(part.wait(), 60) for part in parts]
        )

    return behave


async def post(adapter: Adapter, path: str = "/v1/messages", **fields: Any) -> httpx.Response:
    headers = fields.pop("headers", {})
    return await adapter.client.post(path, json={**BODY, **fields}, headers=headers)


async def send(adapter: Adapter, body: bytes, path: str = "/v1/messages", **headers: str) -> httpx.Response:
    return await adapter.client.post(path, content=body, headers={"content-type": "application/json", **headers})


async def test_the_request_goes_on_byte_for_byte(adapter: Adapter, upstream: Upstream) -> None:
    """Body, query string, version and betas are the client's; the key is ours; what was the connection's ends here."""
    seen: dict[str, Any] = {}

    async def behave(request: web.Request) -> web.StreamResponse:
        seen.update(body=await request.read(), path=request.path_qs, headers=request.headers)
        return web.Response(body=WHOLE, content_type="application/json")

    upstream.messages = behave
    headers = {
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "one,two",
        "user-agent": "claude-cli/9",
        "x-future": "yes",
        "x-api-key": "theirs",
        "cookie": "theirs",
        "x-pilot-notice": "off",
    }
    assert (await send(adapter, ODD_BODY, "/v1/messages?beta=true&x=a%20b", **headers)).status_code == 200
    assert seen["body"] == ODD_BODY
    assert seen["path"] == "/v1/messages?beta=true&x=a%20b"
    for name in ("anthropic-version", "anthropic-beta", "user-agent"):
        assert seen["headers"].getall(name) == [headers[name]]
    assert seen["headers"].getall("authorization") == ["Bearer sk-ant-one"]
    assert not {"x-api-key", "cookie", "x-pilot-notice", "x-future"} & {name.lower() for name in seen["headers"]}


@pytest.mark.parametrize(
    "headers", [{"content-encoding": "gzip"}, {"anthropic-beta": "x" * 9000}], ids=["said to be compressed", "too long"]
)
async def test_one_clients_odd_header_takes_claude_from_nobody(
    adapter: Adapter, upstream: Upstream, headers: dict[str, str]
) -> None:
    """What would make a server refuse the request with a page of its own ends here."""

    async def behave(request: web.Request) -> web.StreamResponse:
        await request.read()  # where a server finds out that nothing is compressed
        return web.Response(body=WHOLE, content_type="application/json")

    upstream.messages = behave
    assert (await send(adapter, ODD_BODY, **headers)).status_code == 200
    assert (await adapter.state())["state"] == "closed"


async def test_a_query_string_that_is_too_long_is_the_clients_mistake(adapter: Adapter) -> None:
    """Anthropic's edge would refuse it with a page of its own."""
    reply = await send(adapter, ODD_BODY, "/v1/messages?x=" + "a" * 9000)
    assert reply.status_code == 414
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert (await adapter.state())["state"] == "closed"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_what_cannot_be_written_again_is_the_clients_mistake(adapter: Adapter, path: str) -> None:
    """Where the model's name has to be changed, the body is written anew, and JSON has its depth."""
    deep = b'{"model": "pilot", "max_tokens": 9, "x": ' + b"[" * 300 + b"]" * 300 + b"}"
    reply = await send(adapter, deep, path)
    assert reply.status_code == 400
    assert "nested too deeply" in reply.json()["error"]["message"]


async def test_the_counted_model_is_named_in_the_header(adapter: Adapter, upstream: Upstream) -> None:
    """The one that was asked in the end; and of a name without an end no more than fits."""
    upstream.messages = answering(b'{"input_tokens": 7}', "application/json")
    counted = await post(adapter, "/v1/messages/count_tokens", model="pilot")
    assert counted.headers["x-model"] == "claude-sonnet-5-5"
    counted = await post(adapter, "/v1/messages/count_tokens", model="claude-" + "x" * 100_000)
    assert len(counted.headers["x-model"]) == 256


@pytest.mark.parametrize("stream", [False, True])
async def test_the_answer_comes_back_byte_for_byte(adapter: Adapter, upstream: Upstream, stream: bool) -> None:
    """Unknown events, blocks and spaces untouched; request id and limits kept; our headers beside them."""
    said, kind = (ODD_STREAM, "text/event-stream; charset=utf-8") if stream else (WHOLE, "application/json")
    upstream.messages = answering(
        said, kind, request_id="req_9", anthropic_ratelimit_requests_remaining="41", set_cookie="a=b", x_served_by="it"
    )
    reply = await post(adapter, stream=stream)
    assert reply.status_code == 200
    assert reply.content == said
    assert reply.headers["content-type"] == kind
    assert reply.headers["request-id"] == "req_9"
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "41"
    assert (reply.headers.get_list("x-served-by"), reply.headers["x-model"]) == (["claude"], "claude-z")
    assert "set-cookie" not in reply.headers
    metrics = (await adapter.client.get("/metrics")).text
    assert "pilotlight_claude_input_tokens_total 7.0" in metrics
    assert "pilotlight_claude_output_tokens_total 5.0" in metrics


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("claude-of-tomorrow", "claude-of-tomorrow"),
        ("gpt-4o", "claude-haiku-5-5"),
        ("pilot", "claude-sonnet-5-5"),
        ("", "claude-sonnet-5-5"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions"])
async def test_the_models_name(running: Running, upstream: Upstream, asked: str, sent: str, path: str) -> None:
    """Any claude-* goes through, an alias means its model, all else the default."""
    whole = b'{"input_tokens":3}' if "count" in path else WHOLE
    upstream.messages = answering(whole, "application/json") if "chat" not in path else upstream.answer
    async with running(pilot_aliases="gpt-4o=claude-haiku-5-5, fast=claude-haiku-5-5") as adapter:
        assert (await post(adapter, path, model=asked)).status_code == 200
    assert [body["model"] for seen, _, body in upstream.seen if seen != "/v1/models"] == [sent]


async def test_the_head_is_held_and_pings_go_on(adapter: Adapter, upstream: Upstream) -> None:
    """No head before the first content; thinking begins to be content, for it may be silent and pings must pass."""
    first, second = asyncio.Event(), asyncio.Event()
    thinking = {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}
    ping = sse({"type": "ping"})
    upstream.messages = streaming(upstream, sse(START), ping, first, sse(thinking), ping, second, sse(*END))
    request = adapter.client.build_request("POST", "/v1/messages", json={**BODY, "stream": True})
    head = asyncio.create_task(adapter.client.send(request, stream=True))
    await upstream.asked.wait()
    done, _ = await asyncio.wait([head], timeout=0.2)
    assert not done
    first.set()
    reply = await head
    chunks = reply.aiter_bytes()
    seen = b""
    while seen.count(ping) < 2:
        seen += await anext(chunks)
    second.set()
    seen += b"".join([chunk async for chunk in chunks])
    assert seen == sse(START) + ping + sse(thinking) + ping + sse(*END)
    await reply.aclose()


BROKEN: dict[str, tuple[Behaviour, str]] = {
    "401": (failing(401, "authentication_error"), "auth"),
    "429": (failing(429, "rate_limit_error", retry_after="20"), "rate_limit"),
    "500": (failing(500), "server_error"),
    "529": (failing(529, "overloaded_error"), "overloaded"),
    "portal": (answering(b"<html>", "text/html"), "protocol"),
    "empty": (answering(b"", "application/json"), "protocol"),
    "a stream without events": (answering(b"", "text/event-stream"), "protocol"),
}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", BROKEN)
async def test_a_failure_moves_on(adapter: Adapter, upstream: Upstream, fault: str, stream: bool, path: str) -> None:
    """503 with the reason, for nginx to go to the backup."""
    upstream.messages, reason = BROKEN[fault]
    reply = await post(adapter, path, stream=stream, headers={"x-request-id": "r1"})
    assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, reason)
    assert (await adapter.client.get("/reasons/r1")).json() == {"reason": reason}


async def test_an_error_before_content_moves_on(adapter: Adapter, upstream: Upstream) -> None:
    """An `error` event in place of the first content is a failure like any other."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstream.messages = streaming(upstream, sse(START, TEXT_START, error))
    reply = await post(adapter, stream=True)
    assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, "overloaded")


async def test_an_error_after_content_is_passed_on_and_noted(adapter: Adapter, upstream: Upstream) -> None:
    """The client gets Anthropic's own event; the breaker learns of it."""
    said = sse(START, TEXT_START, text("Hi"))
    error = sse({"type": "error", "error": {"type": "overloaded_error", "message": "m"}})
    words_are_here = asyncio.Event()
    upstream.messages = streaming(upstream, said, words_are_here, error)
    request = adapter.client.build_request("POST", "/v1/messages", json={**BODY, "stream": True})
    reply = await adapter.client.send(request, stream=True)
    words_are_here.set()
    assert (reply.status_code, await reply.aread()) == (200, said + error)
    state = await adapter.until(lambda state: state["last_failure"] is not None)
    assert state["last_failure"]["reason"] == "overloaded"


async def test_half_an_event_is_not_passed_on(adapter: Adapter, upstream: Upstream) -> None:
    """A stream that is cut within an event ends with whole events and an error that names the reason."""
    said = sse(START, TEXT_START, text("Hi"))
    upstream.messages = streaming(upstream, said + b'event: content_block_delta\ndata: {"type":"con')
    reply = await post(adapter, stream=True)
    assert reply.content.startswith(said)
    error = orjson.loads(reply.content.removeprefix(said + b"event: error\ndata: "))["error"]
    assert (error["type"], error["reason"]) == ("api_error", "protocol")


async def test_pings_do_not_keep_a_stalled_stream_alive(running: Running, upstream: Upstream) -> None:
    """The stall clock runs on content events alone."""
    said = sse(START, TEXT_START, text("Hi"))

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(said)
        while True:
            await asyncio.sleep(0.05)
            await response.write(sse({"type": "ping"}))

    upstream.messages = behave
    async with running(claude_stall_seconds=0.5) as adapter:
        reply = await post(adapter, stream=True)
    assert b'"reason":"stall"' in reply.content.rpartition(b"event: error")[2]


async def test_a_silent_whole_answer_is_bounded(running: Running, upstream: Upstream) -> None:
    """A unary request that is never answered moves on after the time its length allows."""
    upstream.messages = streaming(upstream, asyncio.Event())
    async with running(claude_first_token_seconds=0.3) as adapter:
        reply = await post(adapter, max_tokens=1)
        counted = await post(adapter, "/v1/messages/count_tokens", model="claude-haiku-5-5")
    assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, "first_token")
    assert counted.headers["x-fallback-reason"] == "first_token", "the breaker is open"


@pytest.mark.parametrize(
    ("max_tokens", "seconds"), [(0, 30), (1024, 58.8), (8192, 260.4), (64_000, 600), (None, 30), ("many", 30), (-5, 30)]
)
def test_a_whole_answers_time_follows_its_length(max_tokens: Any, seconds: float) -> None:
    """The first token's time and then the SDK's own assumption, up to the API's ten minutes."""
    assert whole_seconds(max_tokens, 30) == pytest.approx(seconds)


REFUSED = (
    b'{"type":"error" , "error":{"type":"invalid_request_error","message":"max_tokens: too many"},"request_id":"req_1"}'
)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
async def test_the_clients_mistake_comes_back_byte_for_byte(adapter: Adapter, upstream: Upstream, path: str) -> None:
    """Anthropic's 400 as it is, and it does not open the breaker."""
    upstream.messages = answering(REFUSED, "application/json", 400, request_id="req_1", x_should_retry="false")
    for stream in (False, True):
        reply = await post(adapter, path, stream=stream)
        assert (reply.status_code, reply.content) == (400, REFUSED)
        assert (reply.headers["request-id"], reply.headers["x-should-retry"]) == ("req_1", "false")
        assert reply.headers["x-served-by"] == "claude"
    assert (await adapter.state())["state"] == "closed"


async def test_counting_tokens_proves_no_credit(running: Running, upstream: Upstream) -> None:
    """What costs nothing neither closes a breaker that waits for a paid request, nor opens it for its own limits."""
    async with running(claude_probe_seconds=60) as adapter:
        upstream.messages = failing(429, "rate_limit_error", retry_after="1")
        assert (await post(adapter, "/v1/messages/count_tokens")).headers["x-fallback-reason"] == "rate_limit"
        assert (await adapter.state())["models"] == {}
        assert (await post(adapter)).headers["x-fallback-reason"] == "rate_limit"
        upstream.messages = answering(b'{"input_tokens":1}', "application/json")
        await adapter.until(lambda state: state["models"]["claude-opus-5-5"]["state"] == "half_open")
        assert (await post(adapter, "/v1/messages/count_tokens")).status_code == 200
        assert (await adapter.state())["models"]["claude-opus-5-5"]["state"] == "half_open"


async def test_the_list_of_models_passes(adapter: Adapter, upstream: Upstream) -> None:
    """GET /v1/models with its query; while the breaker is open, 503 without asking."""
    listed = b'{"data": [{"id":"claude-z"}] }'
    upstream.models = answering(listed, "application/json", request_id="req_2")
    reply = await adapter.client.get("/v1/models?limit=3", headers={"anthropic-version": "2026-10-21"})
    assert (reply.status_code, reply.content, reply.headers["request-id"]) == (200, listed, "req_2")
    await adapter.client.post("/drill", json={"seconds": 60})
    assert (await adapter.client.get("/v1/models")).status_code == 503


TYPES_BY_NAME = sse(START, TEXT_START, text("Hi"), *END).replace(b'"type":"message_stop"', b"")
PASSING: list[tuple[str, bytes, bytes, bool]] = [
    # why it exists, what comes, what goes on, whether it ended
    ("whole", ODD_STREAM, ODD_STREAM, True),
    ("a proxy's line ends", ODD_STREAM.replace(b"\n", b"\r\n"), ODD_STREAM, True),
    ("line ends of CR alone", ODD_STREAM.replace(b"\n", b"\r") + b":", ODD_STREAM, True),
    ("a byte order mark", b"\xef\xbb\xbf" + ODD_STREAM, ODD_STREAM, True),
    ("no space", ODD_STREAM.replace(b": ", b":"), ODD_STREAM.replace(b": ", b":"), True),
    ("types by name alone", TYPES_BY_NAME, TYPES_BY_NAME, True),
    ("half an event at the end", sse(START) + b"event: con", sse(START), False),
]


@pytest.mark.parametrize("step_bytes", [1, 5, 100_000])
@pytest.mark.parametrize(("why", "comes", "goes", "ended"), PASSING, ids=[case[0] for case in PASSING])
def test_whole_events_go_on(why: str, comes: bytes, goes: bytes, ended: bool, step_bytes: int) -> None:
    """However they are cut into reads."""
    passing = RelayedStream("claude-x")
    passed = b"".join(passing.feed(comes[at : at + step_bytes]) for at in range(0, len(comes), step_bytes))
    assert (passed, passing.ended) == (goes, ended)


def test_a_missing_goodbye_is_made_up_and_no_more() -> None:
    """After the stop reason only message_stop is missing; before it, the stream is broken."""
    passing = RelayedStream("claude-x")
    passing.feed(sse(START, TEXT_START, text("Hi"), *END[:1]))
    assert passing.finish() is None
    passing.feed(sse(END[1]))
    assert passing.finish() == sse(END[2])
    assert passing.ended
