"""Requests that Claude has left waiting: is it thinking, or is the line dead?

A cut line says nothing, and the timers that allow for Claude's thinking are long. So a silent request has the free
probe sent; when that finds the line dead twice in a row, nobody waits any longer for what cannot come.
"""

from collections.abc import Callable
from weakref import WeakSet

from claude_adapter.availability.reasons import REASONS, Fallback
from claude_adapter.availability.stall_timer import StallTimer

_FAILURES_THAT_PROVE = 2  # one may be a lost packet, and a thinking Claude is worth more than a fast fallback


class SilenceWatch:
    """The requests that are silent now. `probe()` has a probe sent soon; its results come by `probed`."""

    def __init__(self, probe: Callable[[], None]) -> None:
        self._probe = probe
        self._waiting: WeakSet[StallTimer] = WeakSet()
        self._failures = 0

    def silent(self, timer: StallTimer) -> None:
        """This request has been silent for a while, again or still."""
        self._waiting.add(timer)
        self._probe()

    def probed(self, failure: Fallback | None) -> None:
        """What a probe found."""
        if failure is None or not REASONS[failure.reason].dead_line:
            self._failures = 0
            self._waiting.clear()
            return
        self._failures += 1
        if self._failures >= _FAILURES_THAT_PROVE:
            for timer in tuple(self._waiting):
                timer.give_up(failure)
            self._waiting.clear()
