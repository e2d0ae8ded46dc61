"""What runs beside the requests for as long as the adapter does, outlives what it calls."""

import asyncio
import time
from pathlib import Path

import pytest

from claude_adapter.availability import probe as probe_module
from claude_adapter.availability.breaker import Breaker
from claude_adapter.availability.probe import Prober
from claude_adapter.availability.reasons import Fallback, ProbeResult
from claude_adapter.upstream import key as key_module
from claude_adapter.upstream.key import ApiKey


async def wait_until(what: str, probes: list[object], count: int) -> None:
    """Until so many have come; fails naming `what` after the deadline."""
    deadline = time.monotonic() + 10
    while len(probes) < count:
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


async def test_the_prober_outlives_whoever_hears_of_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in there costs that result, not the loop that brings Claude back."""
    monkeypatch.setattr(probe_module, "_FIRST_AFTER_SECONDS", 0.01)
    breaker = Breaker(time.monotonic, "claude-sonnet-4-6", lambda _: None, lambda: None)
    breaker.failed("claude-sonnet-4-6", Fallback("connect", "Nobody there."), time.monotonic(), "somebody")
    heard: list[object] = []

    async def probe() -> Fallback:
        return Fallback("connect", "Nobody there.")

    def on_result(result: ProbeResult) -> None:
        heard.append(result)
        raise KeyError("odd")

    prober = Prober(breaker, probe, 0.02, on_result)
    running = asyncio.create_task(prober.run())
    await wait_until("probes go on", heard, 3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_key_file_is_watched_whatever_a_new_key_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that cannot be taken into use does not hide the next one."""
    monkeypatch.setattr(key_module, "_POLL_SECONDS", 0.01)
    file = tmp_path / "key"
    seen: list[object] = []

    def on_change() -> None:
        seen.append(key.value)
        raise KeyError("odd")

    key = ApiKey(None, file, on_change)
    watching = asyncio.create_task(key.watch())
    for number in (1, 2):
        file.write_text("sk-test-" + "x" * number)
        await wait_until(f"key {number} is seen", seen, number)
    assert seen == ["sk-test-x", "sk-test-xx"]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
