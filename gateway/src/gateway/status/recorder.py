"""Follows Status: after each poll it writes down what is so and sends it to the readers."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from gateway.metrics import Metrics
from gateway.status.document import Json, full_document
from gateway.status.events import StatusEvents
from gateway.status.history import Event, History
from gateway.status.poller import Change, Status
from gateway.status.traffic import totals

# After a pause (a stopped process, a sleeping machine) nobody knows who was on.
_LONGEST_STEP_SECONDS = 5.0


class Recorder:
    """The status over time. Use `following` around the time in which Status polls."""

    def __init__(self, status: Status, history: History, metrics: Metrics) -> None:
        self.events = StatusEvents()
        self._status = status
        self._history = history
        self._metrics = metrics
        self._noted = time.monotonic()
        self._saving: asyncio.Task[None] | None = None
        known = history.events
        current = known.get("current") if history.recent(time.time()) else None
        status.recall(
            (current.backend, current.at) if current else None,
            _change(known.get("failover")),
            _change(known.get("failback")),
        )
        status.on_poll = self.record

    def document(self) -> Json:
        """The full status document of now."""
        return full_document(self._status, self._history)

    def record(self) -> None:
        """Take note of what Status has just found."""
        now, step = time.monotonic(), 0.0
        step, self._noted = min(now - self._noted, _LONGEST_STEP_SECONDS), now
        status, history = self._status, self._history
        save = history.note(time.time(), step, status.active, totals(self._metrics))
        save |= history.note_event("current", Event(status.since, status.active, None))
        save |= history.note_event("failover", _event(status.last_failover, "local"))
        save |= history.note_event("failback", _event(status.last_failback, "claude"))
        if save and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(history.save())
        self.events.publish(self.document())

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Ends the streams when the server has to stop, and saves the history at the end."""
        with self.events.ending_on_signals():
            try:
                yield
            finally:
                if self._saving:
                    await asyncio.gather(self._saving, return_exceptions=True)
                await self._history.save()


def _event(change: Change | None, backend: str) -> Event | None:
    return Event(change.at, backend, change.reason) if change else None


def _change(event: Event | None) -> Change | None:
    return Change(event.at, event.reason) if event else None
