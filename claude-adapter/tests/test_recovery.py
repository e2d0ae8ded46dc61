"""Outages and their end, on the real adapter."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from claude_rig import Adapter, Behaviour, Running, Upstream, failing, failing_page


async def test_opens_and_comes_back(adapter: Adapter, upstream: Upstream) -> None:
    """After a failure nothing is sent until a probe is good; then Claude answers again, with no request sacrificed."""
    upstream.messages = upstream.models = failing(500)
    assert (await adapter.ask()).status_code == 503
    await adapter.until(lambda state: not state["usable"])
    for _ in range(20):
        assert (await adapter.ask()).headers["x-fallback-reason"] == "server_error"
    assert upstream.count("/v1/messages") == 1
    state = await adapter.state()
    assert (state["usable"], state["state"], state["reason"]) == (False, "open", "server_error")
    assert state["last_failure"]["status"] == 500
    upstream.messages, upstream.models = upstream.answer, upstream.list_models
    await adapter.until(lambda state: state["usable"])
    assert (await adapter.ask()).status_code == 200


async def test_server_that_dies_and_returns(adapter: Adapter, upstream: Upstream) -> None:
    """A vanished upstream is `connect`; when it listens again, Claude is back by itself."""
    await upstream.stop()
    assert (await adapter.ask()).headers["x-fallback-reason"] == "connect"
    await upstream.start()
    await adapter.until(lambda state: state["usable"])
    assert (await adapter.ask()).status_code == 200


async def test_limit_is_lifted_by_a_trial(adapter: Adapter, upstream: Upstream) -> None:
    """After retry-after one real request tries, and its success closes the breaker; no probe is spent on it."""
    upstream.messages = failing(429, "rate_limit_error", retry_after="1")
    assert (await adapter.ask()).headers["x-fallback-reason"] == "rate_limit"
    probes = upstream.count("/v1/models")
    upstream.messages = upstream.answer
    state = await adapter.until(lambda state: state["state"] == "half_open")
    assert state["usable"]
    assert (await adapter.ask()).status_code == 200
    assert (await adapter.state())["state"] == "closed"
    assert upstream.count("/v1/models") == probes


async def test_trial_whose_client_leaves(adapter: Adapter, upstream: Upstream) -> None:
    """The trial's slot is free again when its client leaves."""
    upstream.messages = failing(429, "rate_limit_error", retry_after="1")
    await adapter.ask()
    await adapter.until(lambda state: state["state"] == "half_open")
    waiting = asyncio.Event()

    async def hang(request: object) -> object:
        waiting.set()
        return await asyncio.Event().wait()

    upstream.messages = hang  # type: ignore[assignment]  # never answers
    trial = asyncio.create_task(adapter.ask())
    await waiting.wait()
    assert (await adapter.ask()).headers["x-fallback-reason"] == "rate_limit"
    trial.cancel()
    upstream.messages = upstream.answer
    for _ in range(100):
        if (await adapter.ask()).status_code == 200:
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("the slot was never given back")


async def test_one_model_in_trouble(adapter: Adapter, upstream: Upstream) -> None:
    """A mistyped model is refused on its own; the default model goes on."""
    upstream.messages = failing(404, "not_found_error", "model: claude-tpyo")
    assert (await adapter.ask(model="claude-tpyo")).headers["x-fallback-reason"] == "model_not_found"
    upstream.messages = upstream.answer
    assert (await adapter.ask(model="claude-tpyo")).status_code == 503
    assert (await adapter.ask()).status_code == 200
    state = await adapter.state()
    assert state["usable"]
    assert state["models"]["claude-tpyo"]["reason"] == "model_not_found"


async def test_bad_key_is_found_at_start(running: Running, upstream: Upstream) -> None:
    """The first probe finds a bad key before any request does."""
    upstream.models = failing(401, "authentication_error")
    async with running() as adapter:
        state = await adapter.until(lambda state: not state["usable"])
        assert (state["reason"], state["key"], state["probe"]["result"]) == ("auth", True, "auth")
        assert (await adapter.ask()).headers["x-fallback-reason"] == "auth"
    assert upstream.count("/v1/messages") == 0


@pytest.mark.parametrize("status", [404, 405])
async def test_gateway_without_a_model_list(running: Running, upstream: Upstream, status: int) -> None:
    """An ANTHROPIC_BASE_URL that has no model list can still be used; that a probe proved something is not said."""
    upstream.models = failing(status)
    async with running() as adapter:
        state = await adapter.until(lambda state: state["probe"]["result"] == "unproven")
        assert state["state"] == "closed"
        assert "the first request will show" in state["detail"]
        assert (await adapter.ask()).status_code == 200
        assert (await adapter.state())["detail"] == "Claude is usable."


async def test_recovery_without_a_model_list(running: Running, upstream: Upstream) -> None:
    """Behind such a gateway a real request ends the outage, as soon as the gateway answers at all."""
    upstream.models = failing(404)
    async with running() as adapter:
        await upstream.stop()
        assert (await adapter.ask()).headers["x-fallback-reason"] == "connect"
        await upstream.start()
        await adapter.until(lambda state: state["state"] == "half_open")
        assert (await adapter.ask()).status_code == 200
        assert (await adapter.state())["state"] == "closed"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/messages", "/"])
async def test_an_address_with_its_path(running: Running, upstream: Upstream, path: str) -> None:
    """What the settings of other clients want at the end of the address does no harm here."""
    async with running(anthropic_base_url=upstream.base_url + path) as adapter:
        await adapter.until(lambda state: state["probe"]["result"] == "ok")
        assert (await adapter.ask()).status_code == 200


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize(
    "body",
    [
        '{"detail":"Not Found"}',
        "404 page not found",
        '{"error":{"message":"Unknown request URL","type":"invalid_request_error"}}',
        '{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}',
    ],
    ids=["FastAPI", "text", "OpenAI", "Anthropic"],
)
async def test_a_wrong_address(running: Running, upstream: Upstream, body: str, path: str, stream: bool) -> None:
    """A 404 for the path is no answer of Claude's: it falls back, and the state says what to set."""

    async def not_found(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text=body, content_type="application/json")

    upstream.messages = upstream.models = not_found
    async with running() as adapter:
        question = {"model": "claude-z", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
        reply = await adapter.client.post(path, json={**question, "stream": stream})
        assert (reply.status_code, reply.headers["x-fallback-reason"]) == (503, "protocol")
        state = await adapter.state()
        assert state["state"] == "closed"
        if not path.endswith("count_tokens"):
            assert "ANTHROPIC_BASE_URL" in state["detail"]


FAILURES: dict[str, Behaviour] = {
    "403": failing(403, "permission_error"),
    "500": failing(500),
    "503 as HTML": failing_page(503),
    "504": failing(504, "timeout_error"),
    "a portal's page": failing_page(200),
}


@pytest.mark.parametrize("same", [True, False], ids=["the same text", "always another text"])
@pytest.mark.parametrize("failure", FAILURES)
async def test_a_hostile_client_takes_claude_from_nobody(
    adapter: Adapter, upstream: Upstream, failure: str, same: bool
) -> None:
    """What only one client's requests meet, others do not: all but the first of their answers come from Claude."""

    async def by_text(request: web.Request) -> web.StreamResponse:
        hostile = b"hostile" in await request.read()
        return await (FAILURES[failure] if hostile else upstream.answer)(request)

    async def ask_hostile(number: int) -> None:
        text = "hostile" if same else f"hostile {number}"
        reply = await adapter.ask(messages=[{"role": "user", "content": text}])
        assert reply.status_code == 503

    upstream.messages = by_text
    for number in range(3):
        await ask_hostile(number)
    statuses = []
    for turn in range(20):
        await ask_hostile(1000 + turn)
        statuses.append((await adapter.ask()).status_code)
    assert statuses[1:] == [200] * 19
    assert (await adapter.state())["state"] == "closed"


async def test_what_one_request_met_is_said(adapter: Adapter, upstream: Upstream) -> None:
    """Claude stays usable for others, and the state says honestly what the last request met."""
    upstream.messages = failing(403, "permission_error")
    await adapter.ask()
    state = await adapter.state()
    assert (state["usable"], state["state"], state["reason"]) == (True, "closed", None)
    assert state["detail"].startswith("Claude is usable, but the last request has failed: The API key may not")
    assert state["last_failure"]["status"] == 403
    upstream.messages = upstream.answer
    await adapter.ask()
    assert (await adapter.state())["detail"] == "Claude is usable."


async def test_a_failing_api_whose_list_works(adapter: Adapter, upstream: Upstream) -> None:
    """Everybody's requests fail and the probe is good: one at a time tries, and the first one later is answered."""
    upstream.messages = failing(500)
    for number in range(10):
        reply = await adapter.ask(messages=[{"role": "user", "content": f"Number {number}"}])
        assert reply.headers["x-fallback-reason"] == "server_error"
    assert (await adapter.state())["state"] == "half_open"
    upstream.messages = upstream.answer
    assert (await adapter.ask()).status_code == 200
    assert (await adapter.state())["state"] == "closed"


async def test_a_gateway_that_cannot_count(adapter: Adapter, upstream: Upstream) -> None:
    """Counting is free and not served everywhere: that it fails says nothing of Claude."""
    upstream.messages = failing(500)
    for number in range(5):
        body = {"model": "claude-z", "messages": [{"role": "user", "content": f"{number}"}]}
        assert (await adapter.client.post("/v1/messages/count_tokens", json=body)).status_code == 503
    upstream.messages = upstream.answer
    assert (await adapter.state())["state"] == "closed"
    assert (await adapter.ask()).status_code == 200


async def test_no_key(running: Running, upstream: Upstream) -> None:
    """Without a key every request falls back at once, and nothing is ever sent."""
    async with running(anthropic_api_key=" ") as adapter:
        state = await adapter.state()
        assert (state["usable"], state["reason"], state["key"]) == (False, "no_key", False)
        assert "ANTHROPIC_API_KEY" in state["detail"]
        assert (await adapter.ask()).headers["x-fallback-reason"] == "no_key"
    assert upstream.seen == []


async def test_key_file(running: Running, upstream: Upstream, tmp_path: Path) -> None:
    """A key that appears lights Claude up; a changed one is used at once; an emptied file means no key."""
    file = tmp_path / "key"
    async with running(anthropic_api_key=None, anthropic_api_key_file=file) as adapter:
        assert (await adapter.state())["reason"] == "no_key"
        file.write_text("sk-ant-first\n")
        await adapter.until(lambda state: state["usable"])
        assert (await adapter.ask()).status_code == 200
        assert upstream.seen[-1][1]["authorization"] == "Bearer sk-ant-first"

        upstream.models = upstream.messages = failing(401, "authentication_error")
        assert (await adapter.ask()).headers["x-fallback-reason"] == "auth"
        upstream.models, upstream.messages = upstream.list_models, upstream.answer
        file.write_text("sk-ant-second")
        await adapter.until(lambda state: state["usable"] and upstream.seen[-1][1]["authorization"][-6:] == "second")
        assert (await adapter.ask()).status_code == 200

        file.write_text("")
        state = await adapter.until(lambda state: not state["usable"])
        assert (state["reason"], state["key"]) == ("no_key", False)
        file.unlink()
        assert (await adapter.ask()).headers["x-fallback-reason"] == "no_key"


@pytest.mark.parametrize("key", ["sk ant", "sk-ant-\nx", "sk-änt"])
async def test_odd_key(running: Running, key: str) -> None:
    """A key that could not be a header is no key, and the sentence does not quote it."""
    async with running(anthropic_api_key=key) as adapter:
        state = await adapter.state()
        assert state["reason"] == "no_key"
        assert "copy it again" in state["detail"]
        assert key not in state["detail"]


async def test_drill(adapter: Adapter, upstream: Upstream) -> None:
    """A drill is an outage like any other, and ends when told."""
    assert (await adapter.client.post("/drill", json={"seconds": 60})).json() == {"seconds": 60.0}
    assert (await adapter.ask()).headers["x-fallback-reason"] == "drill"
    assert (await adapter.state())["reason"] == "drill"
    await adapter.client.post("/drill", json={"seconds": 0})
    assert (await adapter.ask()).status_code == 200
    assert upstream.count("/v1/messages") == 1


@pytest.mark.parametrize("body", [b"", b"{}", b'{"seconds":-1}', b'{"seconds":3601}', b'{"seconds":true}', b"[1]"])
async def test_bad_drill(adapter: Adapter, body: bytes) -> None:
    """A drill without a sensible length is refused."""
    reply = await adapter.client.post("/drill", content=body)
    assert reply.status_code == 400
    assert "message" in reply.json()["error"]


async def test_metrics(adapter: Adapter, upstream: Upstream) -> None:
    """The metrics tell the breaker's state and reason, openings, probes, outcomes and tokens."""
    await adapter.ask()
    upstream.messages = upstream.models = failing(500)
    await adapter.ask()
    await adapter.until(lambda state: not state["usable"])
    await adapter.ask()
    metrics = (await adapter.client.get("/metrics")).text
    for line in (
        'pilotlight_breaker_state{state="open"} 1.0',
        'pilotlight_breaker_state{state="closed"} 0.0',
        'pilotlight_breaker_open{reason="server_error"} 1.0',
        'pilotlight_breaker_open{reason="auth"} 0.0',
        'pilotlight_breaker_opens_total{reason="server_error"} 1.0',
        'pilotlight_probes_total{result="ok"} 1.0',
        'pilotlight_claude_requests_total{outcome="ok"} 1.0',
        'pilotlight_claude_requests_total{outcome="server_error"} 2.0',
        "pilotlight_claude_input_tokens_total 7.0",
        "pilotlight_claude_output_tokens_total 3.0",
    ):
        assert line in metrics
    assert "process_cpu_seconds_total" in metrics
    assert (await adapter.client.get("/healthz")).json() == {"ok": True}


async def test_nothing_secret_is_logged(
    adapter: Adapter, upstream: Upstream, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the key nor anybody's words reach the log, also when things go wrong."""
    caplog.set_level("INFO")
    await adapter.ask()
    for broken in (failing(400, "invalid_request_error", "Hello"), failing(500, "api_error", "Hello")):
        upstream.messages = broken
        await adapter.ask()
    assert "server_error" in caplog.text
    for secret in ("sk-ant-one", "Hello", "Hi there"):
        assert secret not in caplog.text
