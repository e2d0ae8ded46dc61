"""How long Claude may be silent."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from claude_adapter.availability.reasons import Fallback

_SILENCE_SECONDS = 5.0


class StallTimer:
    """`async with` raises `TimeoutError` when no progress is made: first for `first_seconds`, then for `stall_seconds`.

    One lazy timer looks at the deadline only when it fires: setting a timer anew for every chunk would cost more than
    the chunk does. Time spent on a slow client is not Claude's: `hold()` stops it until the next
    `progress()` or `resume()`.

    `on_silence(self)` is called every few seconds of silence; `give_up` ends the wait before its time.
    """

    __slots__ = (
        "__weakref__",
        "_deadline",
        "_left_seconds",
        "_limit_seconds",
        "_loop",
        "_on_silence",
        "_text_stall_seconds",
        "_thinking_stall_seconds",
        "_timeout",
        "_timer",
        "given_up",
        "stall_seconds",
        "started",
    )

    def __init__(
        self,
        first_seconds: float,
        stall_seconds: float,
        on_silence: "Callable[[StallTimer], None]",
        thinking_stall_seconds: float | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.stall_seconds = self._text_stall_seconds = stall_seconds
        self._thinking_stall_seconds = thinking_stall_seconds or stall_seconds
        self._limit_seconds = first_seconds
        self._on_silence = on_silence
        self.given_up: Fallback | None = None
        self._deadline = self._loop.time() + first_seconds
        self._left_seconds = first_seconds
        self._timeout = asyncio.timeout(None)
        self.started = False

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._timer = self._loop.call_at(self._next_look(), self._look)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    @property
    def expired(self) -> bool:
        """Whether this timer, and not something inside it, ended the wait."""
        return self._timeout.expired()

    def progress(self) -> None:
        """Content came, or the client took what came."""
        if not self.started:
            self.started = True
            self._limit_seconds = self.stall_seconds
            self._deadline = self._loop.time() + self.stall_seconds
            self._timer.cancel()
            self._timer = self._loop.call_at(self._next_look(), self._look)
        else:
            self._limit_seconds = self.stall_seconds
            self._deadline = self._loop.time() + self.stall_seconds

    def thinking(self, thinks: bool) -> None:
        """Whether Claude has begun to think, which may be silent, or has stopped; takes effect with `progress()`."""
        self.stall_seconds = self._thinking_stall_seconds if thinks else self._text_stall_seconds

    def hold(self) -> None:
        """Wait for the client, however long it takes."""
        self._left_seconds = self._deadline - self._loop.time()
        self._deadline = float("inf")

    def resume(self) -> None:
        """The client took what came, but that was no progress of Claude's: the timer goes on where it was held."""
        self._deadline = self._loop.time() + self._left_seconds

    def give_up(self, verdict: Fallback) -> None:
        """Nothing can come any more, for this reason."""
        if self._deadline != float("inf") and not self._timeout.expired():
            self.given_up = verdict
            self._timeout.reschedule(self._loop.time())

    def _look(self) -> None:
        now = self._loop.time()
        if now >= self._deadline:
            self._timeout.reschedule(now)
            return
        if now - (self._deadline - self._limit_seconds) >= _SILENCE_SECONDS:
            self._on_silence(self)
        self._timer = self._loop.call_at(self._next_look(), self._look)

    def _next_look(self) -> float:
        return min(self._deadline, self._loop.time() + _SILENCE_SECONDS)
