"""Which brain is on, since when and why: asked of the rooms twice a second, and when an answer came as a surprise."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import aiohttp

from gateway.hang import Hang
from gateway.metrics import BACKENDS, REASONS, Metrics

Backend = Literal["claude", "local", "none"]

POLL_SECONDS = 0.5  # a change shows on the page within a second
_ANSWER_SECONDS = 1.0
# A stopped process still accepts connections: after this long without an answer a brain counts as hung.
ADAPTER_HUNG_SECONDS = 3.0
LOCAL_HUNG_SECONDS = 5.0  # its model takes the processor from it


@dataclass(frozen=True)
class ClaudeView:
    """What claude-adapter says of itself; `state` is its breaker's, or `down` when it cannot be asked."""

    state: str = "down"
    reason: str | None = "adapter_down"
    detail: str = "The claude-adapter is not running; its supervisor is starting it again."
    model: str | None = None
    probed: bool = False


@dataclass(frozen=True)
class LocalView:
    """What local-llm says of itself."""

    ready: bool = False
    model: str | None = None
    context_tokens: int = 0
    queue_depth: int = 0


@dataclass(frozen=True)
class Change:
    """A change of the active backend."""

    at: float
    reason: str | None


class Status:
    """The one place that knows which backend is active."""

    def __init__(self, run_dir: Path, metrics: Metrics, notice: str) -> None:
        self.claude = ClaudeView()
        self.local = LocalView()
        self.active: Backend = "none"
        self.since = time.time()
        self.adapter_hang = Hang(ADAPTER_HUNG_SECONDS)
        self.local_hang = Hang(LOCAL_HUNG_SECONDS)
        self.last_failover: Change | None = None
        self.last_failback: Change | None = None
        self.on_poll: Callable[[], None] | None = None
        self._metrics = metrics
        self._notice = notice
        self._counted_until = time.monotonic()
        self._surprise = asyncio.Event()
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        self._adapter = aiohttp.ClientSession(
            "http://claude-adapter", connector=aiohttp.UnixConnector(str(run_dir / "claude.sock")), timeout=timeout
        )
        self._local = aiohttp.ClientSession(
            "http://local-llm", connector=aiohttp.UnixConnector(str(run_dir / "local.sock")), timeout=timeout
        )

    @contextlib.asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        """Poll while the context is open; the first poll is over when it opens."""
        await self.poll()
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

    def surprise(self) -> None:
        """An answer came from another brain than expected: look again at once."""
        self._surprise.set()

    async def reason_for(self, request_id: str) -> str:
        """Why claude-adapter did not answer this request (its 503 is lost when nginx moves on)."""
        if self.adapter_hang.hung:
            return "adapter_down"
        try:
            async with self._adapter.get(f"/reasons/{request_id}") as response:
                if response.status == 200:
                    return str((await response.json())["reason"])
        except (aiohttp.ClientError, TimeoutError):
            pass  # the next line is the answer: it cannot be asked
        return "adapter_down"

    async def poll(self) -> None:
        """Ask both brains once and take note of a change."""
        self.claude, self.local = await asyncio.gather(self._ask_adapter(), self._ask_local())
        usable = self.claude.state == "closed"
        self._activate("claude" if usable else "local" if self.local.ready else "none")
        if self.on_poll:
            self.on_poll()

    def snapshot(self) -> dict[str, Any]:
        """The facts as JSON for `/status`; times are Unix seconds."""
        return {
            "version": 1,
            "active_backend": self.active,
            "since": self.since,
            "reason": None if self.active == "claude" else self.claude.reason,
            "detail": self.claude.detail,
            "model": {"claude": self.claude.model, "local": self.local.model, "none": None}[self.active],
            "claude": asdict(self.claude),
            "local": asdict(self.local),
            "notice": self._notice,
            "last_failover": self.last_failover and asdict(self.last_failover),
            "last_failback": self.last_failback and asdict(self.last_failback),
        }

    async def _poll_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._surprise.wait()
            self._surprise.clear()
            await self.poll()

    async def _ask_adapter(self) -> ClaudeView:
        try:
            async with self._adapter.get("/state") as response:
                state = await response.json()
        except aiohttp.ClientConnectorError:
            self.adapter_hang.answered()
            return ClaudeView()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            self.adapter_hang.unanswered()
            if not self.adapter_hang.hung:
                return self.claude
            return ClaudeView(detail="The claude-adapter does not answer; requests go around it until it does.")
        self.adapter_hang.answered()
        return ClaudeView(
            state=state["state"],
            reason=state["reason"],
            detail=state["detail"],
            model=state["model"],
            probed=state["probe"]["result"] is not None or not state["key"],
        )

    async def _ask_local(self) -> LocalView:
        try:
            async with self._local.get("/healthz") as response:
                health = await response.json()
        except aiohttp.ClientConnectorError:
            self.local_hang.answered()
            return LocalView()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            self.local_hang.unanswered()
            return LocalView()
        self.local_hang.answered()
        return LocalView(**{name: health[name] for name in ("ready", "model", "context_tokens", "queue_depth")})

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
