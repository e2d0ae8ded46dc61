"""Requests that only Claude may answer: asked by path or header, or recognised as a client's side task."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

import gateway.status.poller
from gateway.settings import DEFAULT_NOTICE as NOTICE
from gateway_rig import BODIES, CLAUDE, DENIED, LOCAL, Rig, chat, chunk, error_of, gateway_rig, stream, streamed, whole
from odd_service import STATE, response

Json = dict[str, Any]

COMPACTION = {
    "role": "user",
    "content": "You are a summarization agent creating a context checkpoint. Treat the conversation turns below as "
    "source material ... Write only the summary body. Do not include any preamble or prefix.",
}
TITLE = {
    "system": "You are naming a coding session so the user can pick it out of a long list of sessions.",
    "messages": [{"role": "user", "content": "hi"}],
}
CLAUDE_CODE = {"User-Agent": "claude-cli/2.1.331 (external, cli)"}
BACKEND_PATHS = {path: "/v1/messages" if path == "/v1/messages" else "/v1/chat/completions" for path in BODIES}

WAYS: list[tuple[str, Json]] = [
    # how the request is kept for Claude: path, headers
    ("/claude", {}),
    ("", {"X-Pilot-Fallback": "off"}),
    ("", {"X-Pilot-Fallback": " Off "}),
]
WAY_IDS = ["path", "header", "header with spaces"]
REFUSED = response(b"", 503, "application/json", "X-Fallback-Reason: auth")


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """A gateway as it comes; hangs are found soon."""
    monkeypatch.setattr(gateway.status.poller, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(gateway.status.poller, "ADAPTER_HUNG_SECONDS", 0.3)
    async with gateway_rig(tmp_path) as rig:
        yield rig


async def ask(rig: Rig, path: str, way: tuple[str, Json] = WAYS[0], **more: Any) -> httpx.Response:
    """A request that is kept for Claude in this way."""
    return await rig.client.post(way[0] + path, json=BODIES[path] | more, headers=way[1])


async def refused(rig: Rig) -> dict[str, float]:
    """What has been refused, by the labels of the metric."""
    name = "pilotlight_refused_side_tasks_total"
    lines = (line for line in (await rig.read_metrics()).splitlines() if line.startswith(name))
    found = {line.rpartition(" ")[0].removeprefix(name): float(line.rpartition(" ")[2]) for line in lines}
    return {labels: count for labels, count in found.items() if count}


@pytest.mark.parametrize("way", WAYS, ids=WAY_IDS)
@pytest.mark.parametrize("path", BODIES)
async def test_claude_answers_as_ever(rig: Rig, path: str, way: tuple[str, Json]) -> None:
    """By the way that has no backup; what keeps it for Claude goes no further."""
    rig.nginx.answer = response(whole(path, "Paris."), 200, "application/json", *CLAUDE)
    answer = await ask(rig, path, way)
    assert (answer.status_code, answer.headers["X-Served-By"]) == (200, "claude")
    assert rig.nginx.asked == [f"/claude{BACKEND_PATHS[path]}"]
    assert "x-pilot-fallback" not in rig.nginx.requests[0][0]
    assert not await refused(rig)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("way", WAYS, ids=WAY_IDS)
@pytest.mark.parametrize("path", BODIES)
async def test_an_outage_is_a_refusal(rig: Rig, path: str, way: tuple[str, Json], streams: bool) -> None:
    """In the client's dialect, with a sentence and a Retry-After; the local model is not asked, and nobody is told."""
    rig.claude.answer = response(orjson.dumps(DENIED))
    await rig.until("local is on", "local")
    rig.nginx.answer = REFUSED
    answer = await ask(rig, path, way, stream=streams)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["X-Fallback-Reason"] == "auth"
    assert "x-should-retry" not in answer.headers
    message = error_of(answer)["message"]
    assert message == (
        "Claude cannot be asked right now, and this request is for Claude alone. "
        "Claude: Anthropic rejected the API key. Try again in 5 seconds."
    )
    assert error_of(answer)["type"] == ("api_error" if path == "/v1/messages" else "service_unavailable")
    assert NOTICE not in answer.text
    assert rig.nginx.asked == [f"/claude{BACKEND_PATHS[path]}"]
    assert await refused(rig) == {f'{{client="{"path" if way[0] else "header"}",task="any"}}': 1.0}
    metrics = await rig.read_metrics()
    dialect = {"/v1/messages": "anthropic", "/v1/responses": "responses"}.get(path, "openai")
    assert f'requests_total{{backend="none",dialect="{dialect}",outcome="refused"}} 1.0' in metrics
    assert 'fallbacks_total{reason="auth"} 0.0' in metrics


async def test_when_to_come_again_is_claude_adapters_to_say(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its state, rounded up."""
    monkeypatch.setattr("gateway.status.contracts.time.time", lambda: 1_000.0)
    rig.claude.answer = response(orjson.dumps(DENIED | {"retry_at": 1_041.2}))
    await rig.until("local is on", "local")
    rig.nginx.answer = REFUSED
    assert (await ask(rig, "/v1/messages")).headers["Retry-After"] == "42"


async def test_a_failure_that_no_poll_has_seen_has_its_reason(rig: Rig) -> None:
    """The sentence does not say that Claude is usable."""
    rig.nginx.answer = response(b"", 503, "application/json", "X-Fallback-Reason: overloaded")
    message = error_of(await ask(rig, "/v1/messages"))["message"]
    assert "Claude: it has just failed (overloaded)." in message


async def test_the_local_model_by_name_is_claude_there(rig: Rig) -> None:
    """The path is stronger than the name, as it is without the gateway."""
    rig.nginx.answer = response(chat("Paris."), 200, "application/json", *CLAUDE)
    await ask(rig, "/v1/chat/completions", model="local")
    assert rig.nginx.asked == ["/claude/v1/chat/completions"]


async def test_another_value_of_the_header_is_none(rig: Rig) -> None:
    """Only `off` keeps a request for Claude."""
    rig.nginx.answer = response(chat("Paris."), 200, "application/json", *CLAUDE)
    await ask(rig, "/v1/chat/completions", ("", {"X-Pilot-Fallback": "on"}))
    assert rig.nginx.asked == ["/v1/chat/completions"]


@pytest.mark.parametrize("path", BODIES)
async def test_a_hanging_adapter_is_not_gone_around(rig: Rig, path: str) -> None:
    """Who waits in it is refused when it is found to hang, the next one at once."""
    rig.nginx.answer = None
    rig.claude.answer = None
    for _ in range(2):
        answer = await ask(rig, path)
        assert (answer.status_code, answer.headers["X-Fallback-Reason"]) == (503, "adapter_down")
    assert rig.nginx.asked == [f"/claude{BACKEND_PATHS[path]}"]


async def test_a_lost_answer_is_not_asked_for_again(rig: Rig) -> None:
    """Claude may have written it already."""
    rig.nginx.answer = response(chat("Paris."), 200, "application/json", *CLAUDE)[:-5]
    answer = await ask(rig, "/v1/chat/completions")
    assert answer.status_code == 503
    assert rig.nginx.asked == ["/claude/v1/chat/completions"]


async def test_nginx_without_an_adapter_is_a_refusal(rig: Rig) -> None:
    """Its own error is no reason; claude-adapter is asked, or is down."""
    rig.nginx.answer = response(b"<html>", 503, "text/html")
    assert (await ask(rig, "/v1/chat/completions")).status_code == 503


@pytest.mark.parametrize("way", WAYS, ids=WAY_IDS)
@pytest.mark.parametrize("path", BODIES)
async def test_a_broken_stream_ends_with_an_error(rig: Rig, path: str, way: tuple[str, Json]) -> None:
    """It is not rescued: nobody takes the part for the whole."""
    body = streamed(path, "The cap", CLAUDE).partition(b"\r\n\r\n")[2]
    end = b"event: content_block_stop" if path == "/v1/messages" else chunk("", "stop")
    rig.nginx.answer = stream(body.partition(end)[0], cut=True)
    answer = await ask(rig, path, way, stream=True)
    last = answer.text.strip().split("\n\n")[-1]
    errors = {"/v1/messages": "event: error", "/v1/responses": "response.failed"}
    assert errors.get(path, '{"error"') in last
    assert "broke off" in last
    assert len(rig.nginx.asked) == 1


async def test_the_clients_own_mistake_is_none_of_claudes(rig: Rig) -> None:
    """Passed on as it is."""
    rig.nginx.answer = response(b'{"error":{"message":"no"}}', 400, "application/json", *CLAUDE)
    assert (await ask(rig, "/v1/chat/completions")).status_code == 400
    assert not await refused(rig)


async def test_a_recognised_task_gets_the_answer_of_its_row(rig: Rig) -> None:
    """Hermes keeps its conversation at a 403; the sentence gives no reason, in which it would read another meaning."""
    rig.claude.answer = response(orjson.dumps(DENIED))
    await rig.until("local is on", "local")
    rig.nginx.answer = REFUSED
    for path, kind in (("/v1/chat/completions", "permission_error"), ("/v1/messages", "permission_error")):
        answer = await rig.ask(path, messages=[COMPACTION])
        assert (answer.status_code, answer.headers["Retry-After"], answer.headers["X-Should-Retry"]) == (
            403,
            "5",
            "false",
        )
        assert error_of(answer)["type"] == kind
        assert error_of(answer)["message"] == (
            "Claude cannot be asked right now, and this request (compaction) is not for the local model: "
            "what it wrote would be kept as if it were Claude's. Try again in 5 seconds."
        )
    assert rig.nginx.asked == ["/claude/v1/chat/completions", "/claude/v1/messages"]
    assert await refused(rig) == {'{client="hermes",task="compaction"}': 2.0}


async def test_a_503_of_a_recognised_task_says_why(rig: Rig) -> None:
    """Claude Code shows the sentence to the person, and does not ask ten times more."""
    rig.claude.answer = response(orjson.dumps(DENIED))
    await rig.until("local is on", "local")
    rig.nginx.answer = REFUSED
    answer = await rig.client.post("/v1/messages", json=BODIES["/v1/messages"] | TITLE, headers=CLAUDE_CODE)
    assert (answer.status_code, answer.headers["X-Should-Retry"]) == (503, "false")
    assert "Anthropic rejected the API key." in error_of(answer)["message"]
    assert await refused(rig) == {'{client="claude_code",task="title"}': 1.0}


async def test_a_task_that_is_recognised_under_the_path_has_its_rows_answer(rig: Rig) -> None:
    """Whoever sets the path for compactions must not lose them by it."""
    rig.nginx.answer = REFUSED
    answer = await ask(rig, "/v1/chat/completions", messages=[COMPACTION])
    assert answer.status_code == 403
    assert await refused(rig) == {'{client="hermes",task="compaction"}': 1.0}


@pytest.mark.parametrize("stream_it", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("why", ["no key", "any"])
async def test_who_chose_the_local_model_has_its_side_tasks_done(tmp_path: Path, why: str, stream_it: bool) -> None:
    """Without a key nothing better will come; with PILOT_SIDE_TASKS=any neither. Nothing is added: it is data."""
    async with gateway_rig(tmp_path, **({"pilot_side_tasks": "any"} if why == "any" else {})) as rig:
        state = STATE | {"state": "open", "reason": "no_key"} if why == "no key" else DENIED
        rig.claude.answer = response(orjson.dumps(state))
        await rig.until("local is on", "local")
        path, text = "/v1/chat/completions", "A title."
        rig.nginx.answer = (
            streamed(path, text, LOCAL) if stream_it else response(chat(text), 200, "application/json", *LOCAL)
        )
        answer = await rig.ask(path, messages=[COMPACTION], stream=stream_it)
        assert answer.status_code == 200
        assert NOTICE not in answer.text
        assert "🕯" not in answer.text
        assert rig.nginx.asked == ["/v1/chat/completions"]
        assert not await refused(rig)


async def test_without_a_key_claude_alone_is_nobody(rig: Rig) -> None:
    """Who says so by path or header means it."""
    rig.claude.answer = response(orjson.dumps(STATE | {"state": "open", "reason": "no_key"}))
    await rig.until("local is on", "local")
    rig.nginx.answer = response(b"", 503, "application/json", "X-Fallback-Reason: no_key")
    answer = await ask(rig, "/v1/chat/completions")
    assert (answer.status_code, answer.headers["X-Fallback-Reason"]) == (503, "no_key")


async def test_a_side_task_by_the_local_models_name_is_the_local_models(rig: Rig) -> None:
    """Somebody has chosen it."""
    rig.nginx.answer = response(chat("Words."), 200, "application/json", *LOCAL)
    answer = await rig.ask(messages=[COMPACTION], model="local")
    assert answer.status_code == 200
    assert rig.nginx.asked == ["/local/v1/chat/completions"]


@pytest.mark.parametrize("base", ["/claude", "/claude/anthropic"])
async def test_the_models_there_are_claudes(rig: Rig, base: str) -> None:
    """The local one cannot be asked for, and is not listed."""
    await rig.until("Claude is on", "claude")
    listed = (await rig.client.get(f"{base}/v1/models")).json()["data"]
    names = {entry["id"] for entry in listed}
    assert {"pilot", STATE["model"]} <= names
    assert "local" not in names
    assert (await rig.client.get(f"{base}/v1/models/pilot")).status_code == 200
    missing = await rig.client.get(f"{base}/v1/models/local")
    assert missing.status_code == 404
    assert ("type" in missing.json()) == (base == "/claude/anthropic")


async def test_counting_is_not_looked_at(rig: Rig) -> None:
    """Tokens of a side task can be counted by anybody."""
    rig.nginx.answer = response(b'{"input_tokens":5}', 200, "application/json", *LOCAL)
    body = {"model": "m", "messages": [COMPACTION]}
    assert (await rig.client.post("/v1/messages/count_tokens", json=body)).status_code == 200
    assert rig.nginx.asked == ["/v1/messages/count_tokens"]
