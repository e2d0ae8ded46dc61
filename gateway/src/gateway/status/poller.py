"""Which backend is on, since when and why: asked twice a second, and when an answer was not the one expected."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from gateway.metrics import BACKENDS, Metrics
from gateway.reasons import REASONS
from gateway.status.contracts import ClaudeView, LocalView, read_health, read_reason, read_state
from gateway.status.incident import Incident
from gateway.status.liveness import Liveness
from gateway.status.polled import Polled, describe

_log = logging.getLogger(__name__)

Backend = Literal["claude", "local", "none"]

ADAPTER, LOCAL = "claude-adapter", "local-llm"

POLL_SECONDS = 0.5  # a change shows on the page within a second
# A stopped process still accepts connections: after this long without an answer a service counts as hung.
ADAPTER_HUNG_SECONDS = 3.0
LOCAL_HUNG_SECONDS = 5.0  # its model takes the processor from it


@dataclass(frozen=True)
class Change:
    """A change of the active backend."""

    at: float
    reason: str | None


class Status:
    """The one place that knows which backend is active."""

    def __init__(self, run_dir: Path, metrics: Metrics, notice: str) -> None:
        self.adapter_liveness = Liveness(ADAPTER, ADAPTER_HUNG_SECONDS)
        self.local_liveness = Liveness(LOCAL, LOCAL_HUNG_SECONDS)
        self._adapter = Polled(
            ADAPTER,
            run_dir / "claude.sock",
            "/state",
            read_state,
            self.adapter_liveness,
            down=ClaudeView(),
            hung=ClaudeView(
                detail="The claude-adapter does not answer as it should; requests go around it until it does."
            ),
        )
        self._local = Polled(
            LOCAL,
            run_dir / "local.sock",
            "/healthz",
            read_health,
            self.local_liveness,
            down=LocalView(),
            hung=LocalView(),
        )
        self.active: Backend = "none"
        self.since = time.time()
        self.last_failover: Change | None = None
        self.last_failback: Change | None = None
        self.on_poll: Callable[[], None] | None = None
        self._metrics = metrics
        self._notice = notice
        self._counted_until = time.monotonic()
        self._look_again = asyncio.Event()
        self._poll_fails = Incident(_log, "The gateway can look at its backends again.")
        self._follower_fails = Incident(_log, "The status is taken note of again.")

    @property
    def claude(self) -> ClaudeView:
        """What claude-adapter last said of itself."""
        return self._adapter.view

    @property
    def local(self) -> LocalView:
        """What local-llm last said of itself."""
        return self._local.view

    @contextlib.asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        """Poll while the context is open; the first poll is over when it opens."""
        await self._poll_safely()
        task = asyncio.create_task(self._poll_forever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._adapter.close()
            await self._local.close()

    def recall(
        self, current: tuple[str, float] | None, last_failover: Change | None, last_failback: Change | None
    ) -> None:
        """Go on from what an earlier process knew: backend and since when, if still so, and the last changes."""
        if current and current[0] in BACKENDS:
            self.active, self.since = cast(Backend, current[0]), current[1]
        self.last_failover, self.last_failback = last_failover, last_failback

    def look_again(self) -> None:
        """An answer came from another backend than expected: look again at once."""
        self._look_again.set()

    async def reason_for(self, request_id: str) -> str:
        """Why claude-adapter did not answer this request (its 503 is lost when nginx moves on).

        Asked only when the last poll has not just said it.
        """
        if self.adapter_liveness.hung:
            return "adapter_down"
        known = self.claude.state in ("open", "down") and self.claude.of_all
        if known and self.adapter_liveness.silent_seconds < 2 * POLL_SECONDS:
            return self.claude.reason or "adapter_down"
        return await self._adapter.ask(f"/reasons/{request_id}", read_reason) or "adapter_down"

    async def poll(self) -> None:
        """Ask both services once and take note of a change."""
        await asyncio.gather(self._adapter.poll(), self._local.poll())
        usable = self.claude.state == "closed"
        self._activate("claude" if usable else "local" if self.local.ready else "none")
        try:
            if self.on_poll:
                self.on_poll()
        except Exception as error:  # noqa: BLE001  # who takes note must not end the looking
            self._follower_fails.begin(f"The status cannot be taken note of: {describe(error)}.")
        else:
            self._follower_fails.end()

    def snapshot(self) -> dict[str, Any]:
        """The facts as JSON for `/status`; times are Unix seconds."""
        return {
            "version": 1,
            "active_backend": self.active,
            "since": self.since,
            "reason": None if self.active == "claude" else self.claude.reason,
            "detail": self.claude.detail,
            "model": {"claude": self.claude.model, "local": self.local.model, "none": None}[self.active],
            "claude": {name: value for name, value in asdict(self.claude).items() if name != "words"},
            "local": asdict(self.local),
            "notice": self._notice,
            "last_failover": self.last_failover and asdict(self.last_failover),
            "last_failback": self.last_failback and asdict(self.last_failback),
        }

    async def _poll_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._look_again.wait()
            self._look_again.clear()
            await self._poll_safely()

    async def _poll_safely(self) -> None:
        try:
            await self.poll()
        except Exception as error:  # noqa: BLE001  # without it status, notice and hang detection stand still for good
            self._poll_fails.begin(f"The gateway cannot look at its backends: {describe(error)}.")
        else:
            self._poll_fails.end()

    def _activate(self, backend: Backend) -> None:
        now = time.monotonic()
        if self.active != "claude":
            self._metrics.fallback_seconds.inc(now - self._counted_until)
        self._counted_until = now
        if backend != self.active:
            self._metrics.transitions.labels(self.active, backend).inc()
            change = Change(time.time(), self.claude.reason)
            if backend == "claude":
                if self.last_failover:  # otherwise it was a start, and there was nothing to come back from
                    self.last_failback = change
            elif self.active == "claude":
                self.last_failover = change
            self.active, self.since = backend, change.at
        self._metrics.active_since.set(self.since)
        self._metrics.local_ready.set(self.local.ready)
        for reason in REASONS:
            self._metrics.fallback_reason.labels(reason).set(backend != "claude" and reason == self.claude.reason)
        for name in BACKENDS:
            self._metrics.active_backend.labels(name).set(name == backend)
