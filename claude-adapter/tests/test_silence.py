"""A silent request: is Claude thinking, or is the line dead?"""

import asyncio

import pytest

from claude_adapter.availability import stall_timer as stall_timer_module
from claude_adapter.availability.reasons import Fallback
from claude_adapter.availability.silence import SilenceWatch
from claude_adapter.availability.stall_timer import StallTimer

DEAD = Fallback("timeout", "The line is dead.")


class Line:
    """Counts the probes that were asked for."""

    def __init__(self) -> None:
        self.probes = 0
        self.silence = SilenceWatch(self._probe)
        self.asked = asyncio.Event()

    def _probe(self) -> None:
        self.probes += 1
        self.asked.set()


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(stall_timer_module, "_SILENCE_SECONDS", 0.02)
    return Line()


async def wait_in_silence(line: Line) -> StallTimer:
    """Wait for Claude until the timer ends it; gives the timer."""
    timer = StallTimer(30, 30, line.silence.silent)
    with pytest.raises(TimeoutError):
        async with timer:
            await asyncio.Event().wait()
    return timer


async def test_a_dead_line_is_given_up(line: Line) -> None:
    """Two failed probes in a row end the wait, long before its time, with the probe's reason."""
    waiting = asyncio.create_task(wait_in_silence(line))
    for _ in range(2):
        line.asked.clear()
        await asyncio.wait_for(line.asked.wait(), 10)
        line.silence.probed(DEAD)
    timer = await asyncio.wait_for(waiting, 10)
    assert timer.given_up == DEAD


@pytest.mark.parametrize(
    "results",
    [
        [None],  # the line is well: Claude is thinking
        [DEAD, None, DEAD, None],  # a lost packet now and then
        [Fallback("overloaded", "x"), Fallback("server_error", "x")],  # somebody answers: the line is not dead
    ],
    ids=["well", "a lost packet", "an unwell Claude"],
)
async def test_a_thinking_claude_is_waited_for(line: Line, results: list[Fallback | None]) -> None:
    """As long as the line lives, the long timer decides."""
    waiting = asyncio.create_task(wait_in_silence(line))
    for result in results:
        line.asked.clear()
        await asyncio.wait_for(line.asked.wait(), 10)
        line.silence.probed(result)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_who_makes_progress_is_not_silent(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress, and waiting for a slow client, are no silence of Claude's."""
    monkeypatch.setattr(stall_timer_module, "_SILENCE_SECONDS", 1.0)
    async with StallTimer(30, 30, line.silence.silent) as timer:
        for _ in range(30):
            timer.progress()
            await asyncio.sleep(0.05)
        timer.hold()
        await asyncio.sleep(1.2)
        timer.progress()
    assert line.probes == 0
