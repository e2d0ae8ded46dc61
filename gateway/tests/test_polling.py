"""The gateway goes on looking at its services, and goes on being right, whatever they answer."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import gateway.status.poller
from gateway.metrics import Metrics
from gateway.status.liveness import HungError
from gateway.status.poller import Status
from odd_service import HEALTH, NO_DOCUMENTS, STATE, OddService, response, without

ODD = {
    **{repr(body[:20]): response(body) for body in NO_DOCUMENTS},
    "a web page": response(b"<html>Sign in</html>", 200, "text/html"),
    "a key missing": response(orjson.dumps(without(STATE, "probe"))),
    "another key missing": response(orjson.dumps(without(STATE | HEALTH, "model"))),
    "wrong types": response(orjson.dumps(dict.fromkeys(STATE | HEALTH, 7))),
    "500 of another shape": response(b'{"error":{"message":"It broke."}}', 500),
    "a redirect": response(b"", 302, "text/plain", "Location: /elsewhere"),
    "an unknown charset": response(orjson.dumps([]), 200, "application/json; charset=klingon"),
    "not gzip": response(orjson.dumps(STATE), 200, "application/json", "Content-Encoding: gzip"),
    "huge": response(b"[" + b"1," * 4_000_000 + b"1]"),
    "cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a closed connection": b"",
    "nothing at all": None,
}


async def wait_until(what: str, condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Look again and again; fails naming `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.01)


class Rig:
    """A Status between two services that answer as told."""

    def __init__(self, status: Status, claude: OddService, local: OddService) -> None:
        self.status, self.claude, self.local = status, claude, local

    def all_is_well(self) -> None:
        """From now on both services answer as they should."""
        self.claude.answer = response(orjson.dumps(STATE))
        self.local.answer = response(orjson.dumps(HEALTH))


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """Claude answers and local is ready; polled often, so that little time is lost."""
    monkeypatch.setattr(gateway.status.poller, "POLL_SECONDS", 0.02)
    claude, local = OddService(), OddService()
    async with claude.listening(tmp_path / "claude.sock"), local.listening(tmp_path / "local.sock"):
        rig = Rig(Status(tmp_path, Metrics(), "notice"), claude, local)
        rig.all_is_well()
        async with rig.status.polling():
            assert (rig.status.active, rig.status.local.ready) == ("claude", True)
            yield rig


@pytest.mark.parametrize("name", ODD)
async def test_the_poller_lives_through_any_answer(rig: Rig, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Both services say the same odd thing: what was known holds; then they are right again, and so is the status."""
    rig.claude.answer = rig.local.answer = ODD[name]
    seen = len(rig.claude.asked), len(rig.local.asked)
    polls = 2 if ODD[name] is None else 4  # the silent one takes a second for each
    await wait_until(
        "some polls", lambda: len(rig.claude.asked) >= seen[0] + polls and len(rig.local.asked) >= seen[1] + polls
    )
    assert (rig.status.active, rig.status.local.ready) == ("claude", True)
    assert rig.status.claude.model == STATE["model"]
    began = [record.getMessage() for record in caplog.records if "as it should:" in record.getMessage()]
    assert [message.split()[0] for message in sorted(began)] == ["claude-adapter", "local-llm"]

    rig.claude.answer = response(orjson.dumps(STATE | {"state": "open", "reason": "billing", "detail": "Pay."}))
    rig.local.answer = response(orjson.dumps(HEALTH | {"model": "another"}))
    await wait_until("the status is right again", lambda: rig.status.active == "local")
    await wait_until("local's part, too", lambda: rig.status.local.model == "another")
    assert (rig.status.claude.reason, rig.status.snapshot()["detail"]) == ("billing", "Pay.")
    ended = [record for record in caplog.records if "as it should again" in record.getMessage()]
    assert len(ended) == 2


async def test_odd_answers_that_last_take_claude_out_of_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody new is sent to who cannot say how it is, and the page says why; a running answer is not cut off."""
    monkeypatch.setattr(gateway.status.poller, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(gateway.status.poller, "ADAPTER_HUNG_SECONDS", 0.2)
    claude, local = OddService(), OddService()
    async with claude.listening(tmp_path / "claude.sock"), local.listening(tmp_path / "local.sock"):
        rig = Rig(Status(tmp_path, Metrics(), "notice"), claude, local)
        rig.all_is_well()
        async with rig.status.polling():
            with rig.status.adapter_liveness.abandoning():
                rig.claude.answer = response(b"null")
                await wait_until("local is on", lambda: rig.status.active == "local")
                assert rig.status.adapter_liveness.hung
                assert (rig.status.claude.reason, rig.status.claude.state) == ("adapter_down", "down")
                assert "not answer as it should" in rig.status.claude.detail
            rig.claude.answer = None
            with pytest.raises(HungError), rig.status.adapter_liveness.abandoning():
                await asyncio.sleep(15)  # abandoned as soon as the service is silent
            rig.all_is_well()
            await wait_until("Claude is on", lambda: rig.status.active == "claude")
            assert not rig.status.adapter_liveness.hung


async def test_a_dead_service_is_out_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: that needs no waiting."""
    monkeypatch.setattr(gateway.status.poller, "POLL_SECONDS", 0.02)
    claude, local = OddService(), OddService()
    async with claude.listening(tmp_path / "claude.sock"):
        rig = Rig(Status(tmp_path, Metrics(), "notice"), claude, local)
        rig.all_is_well()
        async with local.listening(tmp_path / "local.sock"), rig.status.polling():
            (tmp_path / "local.sock").unlink()
            await wait_until("local is out", lambda: not rig.status.local.ready, 1)
            (tmp_path / "claude.sock").unlink()
            await wait_until("Claude is out", lambda: rig.status.active == "none", 1)


async def test_who_takes_note_of_the_status_cannot_end_the_looking(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """The history or the page's events may fail: said once, and the status goes on."""
    calls = 0

    def fail() -> None:
        nonlocal calls
        calls += 1
        raise KeyError("odd")

    rig.status.on_poll = fail
    await wait_until("some calls", lambda: calls >= 4)
    rig.claude.answer = response(orjson.dumps(STATE | {"state": "open", "reason": "auth"}))
    await wait_until("the status is right", lambda: rig.status.active == "local")
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    rig.status.on_poll = None
    await wait_until("the end is said", lambda: "again" in caplog.messages[-1])


async def test_whatever_else_goes_wrong_the_next_poll_comes(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody has thought of costs polls, not the poller."""
    activate = rig.status._activate
    calls = 0

    def fail(backend: Any) -> None:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    monkeypatch.setattr(rig.status, "_activate", fail)
    await wait_until("some polls", lambda: calls >= 4)
    monkeypatch.setattr(rig.status, "_activate", activate)
    rig.claude.answer = response(orjson.dumps(STATE | {"state": "open", "reason": "auth"}))
    await wait_until("the status is right", lambda: rig.status.active == "local")
    assert [message for message in caplog.messages if "ZeroDivisionError" in message][1:] == []


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_reason_costs_no_answer(rig: Rig, name: str) -> None:
    """A person's degraded answer waits a second at most for its reason, and goes on without."""
    rig.claude.answer = ODD[name]
    asked_at = time.monotonic()
    assert await rig.status.reason_for("0123") == "adapter_down"
    assert time.monotonic() - asked_at < 3
    rig.claude.answer = response(b'{"reason":"quota"}')
    assert await rig.status.reason_for("0123") == "quota"


async def test_odd_answers_from_the_first_poll_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway starts all the same."""
    monkeypatch.setattr(gateway.status.poller, "POLL_SECONDS", 0.02)
    claude, local = OddService(), OddService()
    async with contextlib.AsyncExitStack() as stack:
        for service, name in ((claude, "claude.sock"), (local, "local.sock")):
            await stack.enter_async_context(service.listening(tmp_path / name))
            service.answer = response(b"{}")
        rig = Rig(Status(tmp_path, Metrics(), "notice"), claude, local)
        async with rig.status.polling():
            assert rig.status.active == "none"
            rig.all_is_well()
            await wait_until("Claude is on", lambda: rig.status.active == "claude")
