"""One request through the gateway, between Unix-socket fakes: which attempt comes next, and what the client reads."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

import gateway.status.poller
from gateway.settings import DEFAULT_NOTICE
from gateway_rig import BODIES, CLAUDE, DENIED, LOCAL, Rig, chat, chunk, error_of, gateway_rig, stream, whole
from odd_service import STATE, response


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """Claude answers, local is ready; hangs are found soon."""
    monkeypatch.setattr(gateway.status.poller, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(gateway.status.poller, "ADAPTER_HUNG_SECONDS", 0.3)
    monkeypatch.setattr(gateway.status.poller, "LOCAL_HUNG_SECONDS", 0.3)
    async with gateway_rig(tmp_path) as rig:
        yield rig


@pytest.mark.parametrize("path", BODIES)
async def test_claude_answers(rig: Rig, path: str) -> None:
    """Without a notice, with the headers of who answered."""
    rig.nginx.answer = response(whole(path, "Paris."), 200, "application/json", *CLAUDE)
    answer = await rig.ask(path)
    assert (answer.status_code, answer.headers["X-Served-By"]) == (200, "claude")
    assert "Paris." in answer.text
    assert DEFAULT_NOTICE not in answer.text
    assert rig.nginx.asked == ["/v1/messages" if path == "/v1/messages" else "/v1/chat/completions"]


@pytest.mark.parametrize("path", BODIES)
async def test_local_answers_and_says_why_without_asking(rig: Rig, path: str) -> None:
    """The last poll has said the reason: claude-adapter is not asked for it once more."""
    rig.claude.answer = response(orjson.dumps(DENIED))
    await rig.until("local is on", "local")
    rig.nginx.answer = response(whole(path, "Paris."), 200, "application/json", *LOCAL)
    answer = await rig.ask(path)
    assert (answer.headers["X-Served-By"], answer.headers["X-Fallback-Reason"]) == ("local", "auth")
    assert DEFAULT_NOTICE in answer.text
    assert not [asked for asked in rig.claude.asked if asked.startswith("/reasons/")]
    dialect = {"/v1/messages": "anthropic", "/v1/responses": "responses"}.get(path, "openai")
    assert f'requests_total{{backend="local",dialect="{dialect}",outcome="ok"}} 1.0' in await rig.read_metrics()


async def test_the_reason_of_a_surprise_is_asked_for(rig: Rig) -> None:
    """Claude was usable at the last poll."""
    rig.nginx.answer = response(chat("Paris."), 200, "application/json", *LOCAL)
    rig.claude.answer = response(orjson.dumps(STATE | {"reason": "stall"}))
    answer = await rig.ask()
    assert answer.headers["X-Fallback-Reason"] == "stall"
    assert [asked for asked in rig.claude.asked if asked.startswith("/reasons/")]


async def test_the_reason_of_another_model_is_asked_for(rig: Rig) -> None:
    """That the default model is overloaded says nothing of the one that was asked for."""
    overloaded = {"state": "open", "reason": "overloaded"}
    models = {STATE["model"]: {**overloaded, "since": 1.0, "retry_at": None}}
    rig.claude.answer = response(orjson.dumps(STATE | overloaded | {"models": models}))
    await rig.until("local is on", "local")
    rig.nginx.answer = response(chat("Paris."), 200, "application/json", *LOCAL)
    rig.claude.answers = {"/reasons/": response(orjson.dumps({"reason": "model_not_found"}))}
    await rig.ask()
    assert [asked for asked in rig.claude.asked if asked.startswith("/reasons/")]


@pytest.mark.parametrize("path", BODIES)
async def test_a_lost_answer_is_asked_for_around_claude_and_once_more(rig: Rig, path: str) -> None:
    """Three attempts, and then a refusal in the client's dialect; nothing of the lost ones has been sent."""
    lost = response(whole(path, "Paris."), 200, "application/json", *LOCAL)[:-5]
    rig.nginx.answer = lost
    answer = await rig.ask(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Nobody can answer right now." in error_of(answer)["message"]
    assert error_of(answer)["type"] == ("api_error" if path == "/v1/messages" else "service_unavailable")
    backend_path = "/v1/messages" if path == "/v1/messages" else "/v1/chat/completions"
    assert rig.nginx.asked == [backend_path, f"/local{backend_path}", f"/local{backend_path}"]


async def test_a_hanging_adapter_is_gone_around_by_who_waits_and_by_who_comes(rig: Rig) -> None:
    """The one that waits for it is freed when it is found to hang; the next one does not go there at all."""
    rig.nginx.answers = {"/v1/chat/completions": None}
    rig.nginx.answer = response(chat("Paris."), 200, "application/json", *LOCAL)
    rig.claude.answer = None
    for _ in range(2):
        answer = await rig.ask()
        assert (answer.status_code, answer.headers["X-Fallback-Reason"]) == (200, "adapter_down")
    assert rig.nginx.asked == ["/v1/chat/completions"] + ["/local/v1/chat/completions"] * 2


async def test_nobody_waits_for_a_hanging_local_model(rig: Rig) -> None:
    """Claude is out, and the local model accepts connections and says nothing."""
    rig.claude.answer = response(orjson.dumps(DENIED))
    await rig.until("local is on", "local")
    rig.nginx.answer = rig.local.answer = None
    answer = await rig.ask()
    assert answer.status_code == 503
    assert "Anthropic rejected the API key." in error_of(answer)["message"]


@pytest.mark.parametrize(
    ("answer", "retry_after", "says"),
    [
        (response(b"<html>", 503, "text/html"), "5", "It failed."),
        (response(b"{}", 503, "application/json", "Retry-After: 7", *LOCAL), "7", "It failed."),
        (response(b'{"error":{"message":"It is full."}}', 503, "application/json", *LOCAL), "5", "It is full."),
        (response(b"null", 500, "application/json", "Retry-After: \xb2", *LOCAL), "5", "It failed."),
        (response(b"[]", 504, "application/json", "Retry-After: " + "9" * 5000, *LOCAL), "5", "It failed."),
    ],
)
async def test_an_error_of_the_last_backend_is_a_refusal(rig: Rig, answer: bytes, retry_after: str, says: str) -> None:
    """With what it says, if that can be read."""
    rig.nginx.answer = answer
    refusal = await rig.ask()
    assert (refusal.status_code, refusal.headers["Retry-After"]) == (503, retry_after)
    assert f"The local model: {says}" in error_of(refusal)["message"]


@pytest.mark.parametrize("served_by", ["X-Served-By: stranger", "X-Whatever: 1", "X-Served-By: claude\x00"])
async def test_who_answered_is_a_closed_list(rig: Rig, served_by: str) -> None:
    """It would become a label."""
    rig.nginx.answer = response(chat("Paris."), 200, "application/json", served_by)
    await rig.ask()
    assert "stranger" not in await rig.read_metrics()


async def test_a_local_answer_of_an_unknown_shape_passes_without_a_notice(rig: Rig) -> None:
    """A 500 would be worse."""
    rig.nginx.answer = response(b'{"choices":[]}', 200, "application/json", *LOCAL)
    answer = await rig.ask()
    assert (answer.status_code, answer.content) == (200, b'{"choices":[]}')


BROKEN = [
    ("cut off", stream(chunk("The cap"), cut=True), "adapter_down"),
    ("ended early", stream(chunk("The cap")), "adapter_down"),
    ("an error", stream(chunk("The cap"), b'data: {"error":{"code":"stall"}}\n\n'), "stall"),
    ("CR LF and no space", stream(b"\r\n".join(chunk("The cap").replace(b": ", b":", 1).split(b"\n"))), "adapter_down"),
]


@pytest.mark.parametrize(("why", "broken", "reason"), BROKEN, ids=[case[0] for case in BROKEN])
async def test_the_local_model_goes_on_with_a_broken_stream(rig: Rig, why: str, broken: bytes, reason: str) -> None:
    """One stream with both parts and a line between them."""
    rig.nginx.answers = {"/v1/chat/completions": broken}
    rig.nginx.answer = stream(chunk("ital of"), chunk("", "stop"), b"data: [DONE]\n\n", headers=LOCAL)
    answer = await rig.ask(stream=True)
    assert answer.text.index("The cap") < answer.text.index("my smaller brain goes on") < answer.text.index("ital of")
    assert answer.text.endswith("data: [DONE]\n\n")
    assert f'rescues_total{{reason="{reason}"}} 1.0' in await rig.read_metrics()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_a_stream_that_nobody_can_finish_ends_with_an_error(rig: Rig, path: str) -> None:
    """In the client's own dialect."""
    rig.nginx.answers = {"/v1/chat/completions": stream(chunk("The cap"), cut=True)}
    rig.nginx.answer = response(b"{}", 503)
    answer = await rig.ask(path, stream=True)
    last = answer.text.strip().split("\n\n")[-1]
    assert ("response.failed" if path == "/v1/responses" else '{"error"') in last
    assert "broke off" in last


async def test_a_finished_stream_lacks_only_its_end(rig: Rig) -> None:
    """Nobody is asked for more."""
    rig.nginx.answer = stream(chunk("Paris."), chunk("", "stop"))
    answer = await rig.ask(stream=True)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert len(rig.nginx.asked) == 1


async def test_a_dead_nginx_is_a_refusal(rig: Rig, tmp_path: Path) -> None:
    """Nobody listens."""
    (tmp_path / "brains.sock").unlink()
    assert (await rig.ask()).status_code == 503


async def test_who_leaves_stops_the_work(rig: Rig) -> None:
    """The connection to the backend ends with the client's."""
    rig.nginx.answer = None
    asking = asyncio.create_task(rig.ask())
    deadline = time.monotonic() + 5
    while not rig.nginx.asked:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert rig.nginx.open == 1
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    while rig.nginx.open:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", BODIES)
async def test_a_slash_at_the_end_is_nothing(rig: Rig, path: str) -> None:
    """Answered like the path without, and never by a redirect to where nobody listens."""
    rig.nginx.answer = response(whole(path, "Paris."), 200, "application/json", *CLAUDE)
    assert (await rig.client.post(f"{path}/", json=BODIES[path])).status_code == 200
    for page in ("/status/", "/v1/models/", "/healthz//", "/"):
        assert (await rig.client.get(page)).status_code == 200
    assert (await rig.client.get("/nothing/")).status_code == 404
