"""Who waits for the model, and who is next: callers take turns, each one's requests in the order they came.

One queue for all models, as they share the cores. Belongs to the event loop, but for `shorter_waits`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)
class Place:
    """One request's place; `seconds` is how long its answer is expected to take, `size_bytes` what it holds meanwhile.

    `resumes_at`: it has begun and gave way to shorter ones, but by this time goes on, by the monotonic clock.
    """

    caller: str = ""
    seconds: float = 0.0
    size_bytes: int = 0
    resumes_at: float | None = None
    called: asyncio.Event = field(default_factory=asyncio.Event)


class Queue:
    """A lock whose next holder is chosen."""

    def __init__(self) -> None:
        self._waiting: tuple[Place, ...] = ()  # replaced, never changed: another thread looks at it
        self._holder: Place | None = None
        self._held_until = 0.0  # expected
        self._turns = 0
        self._last_turn: dict[str, int] = {}  # of each caller who may come again soon

    @property
    def waiting_bytes(self) -> int:
        """What the prompts of all who wait take."""
        return sum(place.size_bytes for place in self._waiting)

    @property
    def idle(self) -> bool:
        """Nobody runs and nobody waits."""
        return self._holder is None and not self._waiting

    def seconds_before(self, caller: str) -> float:
        """How long one more request of this caller's is expected to wait."""
        if self._holder is None:
            return 0.0
        rounds = sum(place.caller == caller for place in self._waiting) + 1
        seen: Counter[str] = Counter()
        before = 0.0
        for place in self._waiting:
            seen[place.caller] += 1
            if place.caller == caller or seen[place.caller] <= rounds:
                before += place.seconds
        return max(0.0, self._held_until - time.monotonic()) + before

    def shorter_waits(self, seconds: float) -> bool:
        """Whether somebody who waits is expected to take less. From any thread."""
        return any(place.seconds < seconds for place in self._waiting)

    @asynccontextmanager
    async def turn(self, place: Place, *, within_seconds: float | None = None) -> AsyncIterator[None]:
        """Wait for the turn, and have it. Raises TimeoutError when it does not come in time."""
        if self._holder is None:
            self._call(place)
        else:
            self._waiting = (*self._waiting, place)
            try:
                async with asyncio.timeout(within_seconds):
                    await place.called.wait()
            except BaseException:
                if self._holder is place:  # called and gone at the same time
                    self._call_next()
                self._waiting = tuple(each for each in self._waiting if each is not place)
                raise
        try:
            yield
        finally:
            self._call_next()

    def _call_next(self) -> None:
        self._holder = None
        if self._waiting:
            self._call(self._next())
        else:
            self._last_turn.clear()

    def _next(self) -> Place:
        """Who was put aside, when his time has come or nobody shorter waits; else callers in turns."""
        aside = next((place for place in self._waiting if place.resumes_at is not None), None)
        candidates = self._waiting
        if aside is not None and aside.resumes_at is not None:
            shorter = tuple(each for each in candidates if each.resumes_at is None and each.seconds < aside.seconds)
            if not shorter or time.monotonic() >= aside.resumes_at:
                return aside
            candidates = shorter
        return min(candidates, key=lambda place: self._last_turn.get(place.caller, 0))  # of equals the first that came

    def _call(self, place: Place) -> None:
        self._waiting = tuple(each for each in self._waiting if each is not place)
        self._holder = place
        self._held_until = time.monotonic() + place.seconds
        self._turns += 1
        self._last_turn[place.caller] = self._turns
        place.called.set()
