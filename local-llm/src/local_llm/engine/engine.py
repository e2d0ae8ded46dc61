"""One model, one answer at a time: a bounded queue, generation in a thread, and an end to it when the client has gone.

Generates with `Llama.generate`, not `create_completion`: that one does not say how many tokens it made, drops the bytes
of a character that is incomplete when it ends, and decodes the whole answer again for every token.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import llama_cpp
from llama_cpp.llama import LogitsProcessorList
from llama_cpp.server.app import get_llama_proxy

from local_llm.dialects.answer import Answer, FinishReason, Usage
from local_llm.dialects.errors import BusyError
from local_llm.engine.decode_threads import DecodeThreads
from local_llm.engine.detokenizer import Detokenizer
from local_llm.engine.progress import Progress
from local_llm.engine.repetition import Repetition
from local_llm.engine.sampler_hooks import Mask, abortable
from local_llm.metrics import Metrics
from local_llm.prompt.prefill_rate import PrefillRate
from local_llm.prompt.prefix_cache import PrefixCache
from local_llm.prompt.prompter import Prompt

# llama_cpp.server's own lock is the queue: first come, first served, and a route of that server would have to wait in
# it as well.
_model_lock = asynccontextmanager(get_llama_proxy)

_LONGEST_PIECE_BYTES = 512
_FIRST_MEASURED_TOKENS = 64


class StoppedError(Exception):
    """Nobody wants the rest of this answer."""


class Turn:
    """A request's place in the queue and then on the model.

    `texts` gets the answer's text as it is made, and None when nothing more comes; then `answer()` tells how it ended.
    """

    def __init__(self) -> None:
        self.state: Literal["waiting", "reading"] = "waiting"
        self.texts: asyncio.Queue[str | None] = asyncio.Queue()
        self.task: asyncio.Task[Answer]

    def cancel(self) -> None:
        """Leave the queue at once, or stop within a token."""
        self.task.cancel()

    def answer(self) -> Answer:
        """How it ended. Raises `asyncio.CancelledError` after `cancel`, `BusyError`, and whatever went wrong."""
        return self.task.result()


class Engine:
    """The only one to use the model's context."""

    def __init__(
        self,
        llama: llama_cpp.Llama,
        prefixes: PrefixCache,
        rate: PrefillRate,
        metrics: Metrics,
        progress: Progress,
        *,
        queue_limit: int,
        queue_seconds: float,
        answer_seconds: float,
    ) -> None:
        self.ready = False
        self.depth = 0
        self.metrics = metrics
        self._llama = llama
        self._prefixes = prefixes
        self._rate = rate
        self._progress = progress
        self._threads = DecodeThreads(llama_cpp.llama_n_threads(llama.ctx), llama_cpp.llama_n_threads_batch(llama.ctx))
        self._reading_threads = llama_cpp.llama_n_threads_batch(llama.ctx)
        self._vocabulary: Any = llama._model.vocab  # no public way to single token pieces
        self._queue_limit = queue_limit
        self._queue_seconds = queue_seconds
        self._answer_seconds = answer_seconds
        self._recent_turn_seconds = 3.0
        self._thread = ThreadPoolExecutor(1, "llama")

    @staticmethod
    def alone() -> AbstractAsyncContextManager[Any]:
        """While this is held, no answer of any model is made; the requests wait."""
        return _model_lock()

    async def warm_up(self, soul_prefix: list[int]) -> None:
        """Read the persona and measure, so that nobody waits for either."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._warm_up, soul_prefix)
        self.ready = True

    def _warm_up(self, soul_prefix: list[int]) -> None:
        llama = self._llama
        llama.eval(soul_prefix)  # fetches the weights from disk as well: not to be measured
        self._prefixes.pin()
        size = _FIRST_MEASURED_TOKENS
        for _ in range(2):
            size = min(size, llama.n_ctx() - llama.n_tokens)
            depth = llama.n_tokens
            began = time.monotonic()
            llama.eval([token % llama.n_vocab() for token in range(size)])  # what it reads is all the same
            seconds = time.monotonic() - began
            self._rate.observe(size, depth, seconds)
            if seconds >= 1:
                break
            size = min(llama.n_batch, int(size / seconds))  # the second one takes about a second
        llama.n_tokens = len(soul_prefix)
        llama._requires_eval = True
        self.metrics.prefill_rate.set(self._rate.tokens_per_second)

    def close(self) -> None:
        """Not ready any more; running answers end first."""
        self.ready = False
        self._thread.shutdown()

    def refuse_when_full(self) -> None:
        """Raises `BusyError` when every place is taken."""
        if self.depth >= self._queue_limit:
            raise self._busy(f"{self.depth} requests are before yours.", "queue_full")

    def submit(self, prompt: Prompt) -> Turn:
        """Queue a prompt. Raises `BusyError`."""
        self.refuse_when_full()
        turn = Turn()
        self.depth += 1
        turn.task = asyncio.create_task(self._take(turn, prompt))
        turn.task.add_done_callback(lambda _: self._leave(turn))
        return turn

    def _leave(self, turn: Turn) -> None:
        self.depth -= 1
        turn.texts.put_nowait(None)
        if not turn.task.cancelled():
            turn.task.exception()  # looked at, or asyncio complains when the client has gone meanwhile

    def _busy(self, message: str, cause: Literal["queue_full", "queue_seconds"]) -> BusyError:
        self.metrics.shed.labels(cause).inc()
        return BusyError(message, min(60, math.ceil((self.depth + 1) * self._recent_turn_seconds)), cause=cause)

    async def _take(self, turn: Turn, prompt: Prompt) -> Answer:
        arrived = time.monotonic()
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._queue_seconds):
                    await held.enter_async_context(_model_lock())
            except TimeoutError:
                waited = f"yours has waited {self._queue_seconds:g} s, which LOCAL_QUEUE_SECONDS allows."
                raise self._busy(waited, "queue_seconds") from None
            began = time.monotonic()
            self.metrics.wait_seconds.observe(began - arrived)
            turn.state = "reading"
            loop = asyncio.get_running_loop()
            stop = threading.Event()

            def emit(text: str) -> None:
                loop.call_soon_threadsafe(turn.texts.put_nowait, text)

            work = loop.run_in_executor(self._thread, self._watched, prompt, stop, emit)
            try:
                answer = await asyncio.shield(work)
            except asyncio.CancelledError:
                stop.set()
                await asyncio.wait([work])  # the lock is let go when the model is free, not before
                work.exception()
                raise
            self._recent_turn_seconds += 0.3 * (time.monotonic() - began - self._recent_turn_seconds)
            return answer

    def _watched(self, prompt: Prompt, stop: threading.Event, emit: Callable[[str], None]) -> Answer:
        self._progress.begin()
        try:
            return self._generate(prompt, stop, emit)
        finally:
            self._progress.end()

    def _generate(self, prompt: Prompt, stop: threading.Event, emit: Callable[[str], None]) -> Answer:
        """In the thread: one answer. Raises `StoppedError`."""
        llama, metrics = self._llama, self.metrics
        prompt = prompt.in_time()
        # One token is always evaluated again: the next one is guessed from it.
        cached = min(self._prefixes.prepare(prompt.tokens), len(prompt.tokens) - 1)
        metrics.cache_bytes.set(self._prefixes.saved_bytes)
        metrics.prompt_tokens.inc(len(prompt.tokens))
        metrics.dropped_turns.inc(prompt.dropped_turns)
        detokenizer = Detokenizer(prompt.stops, trim_start=not prompt.continues)
        repetition = Repetition()
        generated = 0
        reason: FinishReason = "length"
        ends_at = math.inf
        llama.set_seed(random.getrandbits(32) if prompt.seed is None else prompt.seed & 0xFFFFFFFF)
        for token in self._tokens(prompt, cached, stop):
            if llama_cpp.llama_vocab_is_eog(self._vocabulary, token):
                reason = "stop"
                break
            generated += 1
            self._progress.sign()
            metrics.generated_tokens.inc()
            if generated == 1:
                ends_at = time.monotonic() + self._answer_seconds
            if text := detokenizer.feed(self._bytes_of(token)):
                emit(text)
            if detokenizer.stopped:
                reason = "stop"
                break
            if prompt.constraint and prompt.constraint.complete:
                reason = "stop"
                break
            if generated >= prompt.max_tokens or repetition.observe(token) or time.monotonic() >= ends_at:
                break
        if text := detokenizer.finish():
            emit(text)
        return Answer(reason, detokenizer.stop, Usage(len(prompt.tokens), cached, generated))

    def _tokens(self, prompt: Prompt, cached: int, stop: threading.Event) -> Iterator[int]:
        """The model's tokens, timed. Raises `StoppedError` within one of them."""
        llama, metrics = self._llama, self.metrics
        began = time.monotonic()
        mask = Mask(prompt.constraint) if prompt.constraint else None
        tokens = llama.generate(
            prompt.tokens,
            top_k=int(prompt.sampling["top_k"]),
            top_p=prompt.sampling["top_p"],
            min_p=prompt.sampling["min_p"],
            temp=prompt.sampling["temperature"],
            repeat_penalty=prompt.sampling["repeat_penalty"],
            frequency_penalty=prompt.sampling["frequency_penalty"],
            presence_penalty=prompt.sampling["presence_penalty"],
            logits_processor=LogitsProcessorList([mask]) if mask else None,
        )
        try:
            with abortable(llama, stop, self._progress.sign):
                token = next(tokens)
            if mask:
                mask.consume(token)
            first_token = time.monotonic()
            metrics.prefill_seconds.observe(first_token - began)
            self._rate.observe(len(prompt.tokens) - cached, cached, first_token - began)
            metrics.prefill_rate.set(self._rate.tokens_per_second)
            yielded = 0
            try:
                while True:
                    if stop.is_set():
                        raise StoppedError
                    yield token
                    yielded += 1
                    token = self._written(tokens)
                    if mask:
                        mask.consume(token)
            finally:
                if yielded > 1:
                    metrics.decode_rate.observe((yielded - 1) / (time.monotonic() - first_token))
        except RuntimeError as error:
            if stop.is_set():
                # Whole batches that were read stay in the cache and count; the next eval clears what lies behind them.
                llama._requires_eval = True
                raise StoppedError from error
            llama.reset()  # type: ignore[no-untyped-call]  # as llama_cpp has it
            raise
        finally:
            evaluated = max(0, min(llama.n_tokens, len(prompt.tokens)) - cached)
            metrics.evaluated_tokens.inc(evaluated)
            metrics.evaluated_share.observe(evaluated / len(prompt.tokens))
            tokens.close()

    def _written(self, tokens: Iterator[int]) -> int:
        """The next token, with as many threads as write fastest now."""
        llama_cpp.llama_set_n_threads(self._llama.ctx, self._threads.count, self._reading_threads)
        began = time.perf_counter()
        token = next(tokens)
        self._threads.observe(time.perf_counter() - began)
        return token

    def _bytes_of(self, token: int) -> bytes:
        # Llama.detokenize gives nothing for pieces over 32 bytes, such as deep indentation.
        buffer = ctypes.create_string_buffer(_LONGEST_PIECE_BYTES)
        size = llama_cpp.llama_token_to_piece(self._vocabulary, token, buffer, _LONGEST_PIECE_BYTES, 0, False)
        return buffer.raw[: max(0, size)]
