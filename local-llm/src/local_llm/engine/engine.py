"""One model, one answer at a time: who may wait, the thread that generates, and an end when the client has gone."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Literal, Protocol

from local_llm.dialects.answer import Answer
from local_llm.dialects.errors import BusyError
from local_llm.engine.generator import GivesWayError
from local_llm.engine.queue import Place, Queue
from local_llm.engine.turn import Reading, Turn
from local_llm.metrics import Metrics
from local_llm.prompt.prompter import Prompt

_WAITING_LIMIT_BYTES = 64 << 20  # of all prompts that wait, as they are held; the first may have any size

# While a long prompt is read and short questions come: how much of the time is theirs, for one of the reading's.
_SHARE_OF_SHORT_ONES = 3


class Generates(Protocol):
    """What makes the answers, in a thread: see `Generator`."""

    def warm_up(self, soul_prefix: list[int]) -> None: ...  # as there

    def expected_seconds(self, prompt: Prompt) -> float: ...  # as there

    def answer(  # as there
        self, reading: Reading, emit: Callable[[str], None], shorter_waits: Callable[[float], bool]
    ) -> Answer: ...


@dataclass(frozen=True)
class QueueLimits:
    """How many requests may wait and run, and how long one may wait."""

    requests: int
    seconds: float


class Engine:
    """One model's way from a prompt to its answer. Belongs to the event loop."""

    def __init__(self, generator: Generates, queue: Queue, metrics: Metrics, limits: QueueLimits) -> None:
        self.ready = False
        self.depth = 0
        self.metrics = metrics
        self._generator = generator
        self._queue = queue
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, "llama")

    async def warm_up(self, soul_prefix: list[int]) -> None:
        """Read the persona and measure, so that nobody waits for either. Alone, or the measurement is worth nothing."""
        async with self._queue.turn(Place()):
            await asyncio.get_running_loop().run_in_executor(self._thread, self._generator.warm_up, soul_prefix)
        self.ready = True

    def close(self) -> None:
        """Not ready any more; running answers end first."""
        self.ready = False
        self._thread.shutdown()

    def refuse_when_full(self, caller: str, size_bytes: int = 0) -> None:
        """Raises `BusyError` when every place is taken, or the turn of this caller's would come too late."""
        if self.depth >= self._limits.requests:
            raise self._busy(caller, f"{self.depth} requests are before yours.", "queue_full")
        waiting_bytes = self._queue.waiting_bytes
        if waiting_bytes and waiting_bytes + size_bytes > _WAITING_LIMIT_BYTES:
            raise self._busy(caller, "what waits for it is too large to wait beside yours.", "queue_full")
        seconds = self._queue.seconds_before(caller)
        if seconds > self._limits.seconds:
            when = (
                f"yours would wait for about {seconds:.0f} s, and LOCAL_QUEUE_SECONDS allows {self._limits.seconds:g}."
            )
            raise self._busy(caller, when, "queue_seconds")

    def submit(self, prompt: Prompt, caller: str = "") -> Turn:
        """Queue a prompt. Raises `BusyError`."""
        self.refuse_when_full(caller, prompt.size_bytes)
        turn = Turn()
        self.depth += 1
        turn.task = asyncio.create_task(self._take(turn, Reading(prompt), caller))
        turn.task.add_done_callback(lambda _: self._leave(turn))
        return turn

    def _leave(self, turn: Turn) -> None:
        self.depth -= 1
        turn.texts.put_nowait(None)
        if not turn.task.cancelled():
            turn.task.exception()  # looked at, or asyncio complains when the client has gone meanwhile

    def _busy(self, caller: str, message: str, cause: Literal["queue_full", "queue_seconds"]) -> BusyError:
        self.metrics.shed.labels(cause).inc()
        seconds = math.ceil(self._queue.seconds_before(caller))
        return BusyError(message, max(1, min(60, seconds)), cause=cause)

    async def _take(self, turn: Turn, reading: Reading, caller: str) -> Answer:
        loop = asyncio.get_running_loop()

        def emit(text: str) -> None:
            loop.call_soon_threadsafe(turn.texts.put_nowait, text)

        arrived = loop.time()
        resumes_at: float | None = None
        try:
            while True:
                seconds = self._generator.expected_seconds(reading.prompt)
                place = Place(caller, seconds, reading.prompt.size_bytes, resumes_at)
                async with AsyncExitStack() as held:
                    try:
                        within_seconds = self._limits.seconds if resumes_at is None else None
                        await held.enter_async_context(self._queue.turn(place, within_seconds=within_seconds))
                    except TimeoutError:
                        waited = f"yours has waited {self._limits.seconds:g} s, which LOCAL_QUEUE_SECONDS allows."
                        raise self._busy(caller, waited, "queue_seconds") from None
                    began = time.monotonic()
                    if resumes_at is None:
                        self.metrics.wait_seconds.observe(loop.time() - arrived)
                    turn.state = "reading"
                    try:
                        return await self._in_thread(reading, emit)
                    except GivesWayError:
                        turn.state = "waiting"
                        now = time.monotonic()
                        resumes_at = now + _SHARE_OF_SHORT_ONES * (now - began)
        finally:
            self.metrics.evaluated_tokens.inc(reading.evaluated)
            if reading.cached is not None:
                self.metrics.evaluated_share.observe(min(1.0, reading.evaluated / len(reading.prompt.tokens)))

    async def _in_thread(self, reading: Reading, emit: Callable[[str], None]) -> Answer:
        work = asyncio.get_running_loop().run_in_executor(
            self._thread, self._generator.answer, reading, emit, self._queue.shorter_waits
        )
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            reading.stop.set()
            await asyncio.wait([work])  # the turn is over when the model is free, not before
            work.exception()
            raise
