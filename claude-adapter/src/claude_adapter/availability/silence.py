"""Requests that Claude has left waiting: is it thinking, or is the line dead?

A cut line says nothing, and the clocks that allow for Claude's thinking are long. So a silent request has the free
probe sent; when that finds the line dead twice in a row, nobody waits any longer for what cannot come.
"""

from collections.abc import Callable
from weakref import WeakSet

from claude_adapter.availability.stall_timer import ProgressClock
from claude_adapter.taxonomy import Fallback

_DEAD_LINE = frozenset({"connect", "timeout"})
_FAILURES_THAT_PROVE = 2  # one may be a lost packet, and a thinking Claude is worth more than a fast fallback


class Doubts:
    """Who is in doubt now. `probe()` has a probe sent soon; its results come by `settle`."""

    def __init__(self, probe: Callable[[], None]) -> None:
        self._probe = probe
        self._silent: WeakSet[ProgressClock] = WeakSet()
        self._failures = 0

    def about(self, clock: ProgressClock) -> None:
        """This request has been silent for a while, again or still."""
        self._silent.add(clock)
        self._probe()

    def settle(self, failure: Fallback | None) -> None:
        """What a probe found."""
        if failure is None or failure.reason not in _DEAD_LINE:
            self._failures = 0
            self._silent.clear()
            return
        self._failures += 1
        if self._failures >= _FAILURES_THAT_PROVE:
            for clock in tuple(self._silent):
                clock.give_up(failure)
            self._silent.clear()
