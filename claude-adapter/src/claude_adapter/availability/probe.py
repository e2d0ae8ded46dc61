"""The free probe: asks Claude's door whether it is open again, while the breaker is waiting for that."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from claude_adapter.availability.breaker import Breaker
from claude_adapter.availability.reasons import Fallback, ProbeResult

_log = logging.getLogger(__name__)

_FIRST_AFTER_SECONDS = 0.25
_NOT_SOONER_SECONDS = 1.0  # after the last one began, however many requests fail
_JITTER = 0.2


class Prober:
    """Probes one at a time: soon after an opening, then at the interval (start to start), and at once when told to.

    `on_result` is told what `probe()` returns.
    """

    def __init__(
        self,
        breaker: Breaker,
        probe: Callable[[], Awaitable[ProbeResult]],
        interval_seconds: float,
        on_result: Callable[[ProbeResult], None],
    ) -> None:
        self._breaker = breaker
        self._probe = probe
        self._interval_seconds = interval_seconds
        self._on_result = on_result
        self._wake = asyncio.Event()
        self._forced = False
        self._wanted = False
        self._next_at = 0.0
        self._began_at = float("-inf")
        self.last: tuple[float, str] | None = None

    def soon(self) -> None:
        """A circuit has opened: a blip should not cost a whole interval."""
        self._next_at = min(self._next_at, self._breaker.clock() + _FIRST_AFTER_SECONDS)
        self._wake.set()

    def at_once(self) -> None:
        """A request has failed: is it Claude, or that request? A bystander should not have to find out."""
        self._next_at = min(self._next_at, self._began_at + _NOT_SOONER_SECONDS)
        self._wanted = True
        self._wake.set()

    def now(self) -> None:
        """Probe at once, whatever the breaker says: at start, and when the key has changed."""
        self._forced = True
        self._wake.set()

    def once(self) -> None:
        """One more probe, whatever the breaker says, when the interval allows it."""
        self._wanted = True
        self._wake.set()

    async def run(self) -> None:
        """Probe as needed until cancelled."""
        while True:
            self._wake.clear()
            wait_seconds = self._wait_seconds()
            if wait_seconds is None or wait_seconds > 0:
                try:
                    async with asyncio.timeout(wait_seconds):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                continue
            self._forced = self._wanted = False
            interval_seconds = self._interval_seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # jitter, no secret
            self._began_at = self._breaker.clock()
            self._next_at = self._began_at + interval_seconds
            try:
                await self._probe_once()
            except Exception as error:  # noqa: BLE001  # the loop that brings Claude back must outlive any surprise
                _log.error("a probe's result could not be taken note of: %s", type(error).__name__)
            # Start to start, but never back to back: a probe that outlasts the interval must not become a storm.
            self._next_at = max(self._next_at, self._breaker.clock() + _FIRST_AFTER_SECONDS)

    def _wait_seconds(self) -> float | None:
        if self._forced:
            return 0.0
        return max(0.0, self._next_at - self._breaker.clock()) if self._wanted or self._breaker.wants_probe() else None

    async def _probe_once(self) -> None:
        try:
            result = await self._probe()
        except Exception as error:  # noqa: BLE001  # the loop that brings Claude back must outlive any surprise
            _log.error("the probe failed unexpectedly: %s", type(error).__name__)
            result = Fallback("protocol", "The probe failed in an unexpected way: see the log.")
        if self._forced:
            return  # the key changed meanwhile: this result is about the old one
        if isinstance(result, Fallback):
            self._breaker.probe_failed(result)
        else:
            self._breaker.probe_answered(proven=result == "ok")
        self.last = (self._breaker.clock(), name_of(result))
        self._on_result(result)


def name_of(result: ProbeResult) -> str:
    """`ok`, `unproven`, or the reason why it failed."""
    return result.reason if isinstance(result, Fallback) else result
