"""One answer, in the thread that owns the model's context: the prompt is read in steps, then the answer written.

Generates with `Llama.generate`, not `create_completion`: that one does not say how many tokens it made, drops the bytes
of a character that is incomplete when it ends, and decodes the whole answer again for every token.
"""

from __future__ import annotations

import ctypes
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llama_cpp
from llama_cpp.llama import LogitsProcessorList

from local_llm.dialects.answer import Answer, FinishReason, Usage
from local_llm.engine.answer_time import AnswerTime
from local_llm.engine.decode_threads import DecodeThreads
from local_llm.engine.detokenizer import Detokenizer
from local_llm.engine.progress import Progress
from local_llm.engine.repetition import Repetition
from local_llm.engine.sampler_hooks import Mask, abortable
from local_llm.engine.turn import Reading
from local_llm.metrics import Metrics
from local_llm.prompt.prefill_rate import PrefillRate
from local_llm.prompt.prefix_cache import PrefixCache
from local_llm.prompt.prompter import Prompt

_LONGEST_PIECE_BYTES = 512
_FIRST_MEASURED_TOKENS = 64
# Somebody with a short question waits for one step of a long reading.
_STEP_SECONDS = 0.5
_LEAST_STEP_TOKENS, _MOST_STEP_TOKENS = 32, 256


class StoppedError(Exception):
    """Nobody wants the rest of this answer."""


class GivesWayError(Exception):
    """Somebody waits whose whole answer takes less than the rest of this reading."""


class Generator:
    """The only one to use the model's context. All methods belong to one thread."""

    def __init__(
        self,
        llama: llama_cpp.Llama,
        prefixes: PrefixCache,
        rate: PrefillRate,
        metrics: Metrics,
        progress: Progress,
        answer_seconds: float,
    ) -> None:
        self.answer_time = AnswerTime()
        self._llama = llama
        self._prefixes = prefixes
        self._rate = rate
        self._metrics = metrics
        self._progress = progress
        self._answer_seconds = answer_seconds
        self._threads = DecodeThreads(llama_cpp.llama_n_threads(llama.ctx), llama_cpp.llama_n_threads_batch(llama.ctx))
        self._reading_threads = llama_cpp.llama_n_threads_batch(llama.ctx)
        self._vocabulary: Any = llama._model.vocab  # no public way to single token pieces

    def warm_up(self, soul_prefix: list[int]) -> None:
        """Read the persona and measure."""
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
        self._metrics.prefill_rate.set(self._rate.tokens_per_second)

    def expected_seconds(self, prompt: Prompt) -> float:
        """How long an answer will take, were it begun now. From any thread."""
        cached = self._prefixes.cached_tokens(prompt.tokens)
        reading_seconds = self._rate.seconds(len(prompt.tokens) - cached, cached)
        return self.answer_time.expected_seconds(reading_seconds, prompt.max_tokens)

    def answer(self, reading: Reading, emit: Callable[[str], None], shorter_waits: Callable[[float], bool]) -> Answer:
        """Read the prompt, or on, and answer it. Raises `StoppedError`, and `GivesWayError`: to be resumed."""
        self._progress.begin()
        try:
            depth = self._read(reading, shorter_waits)
            return self._write(reading, depth, emit)
        finally:
            self._progress.end()

    def _read(self, reading: Reading, shorter_waits: Callable[[float], bool]) -> int:
        """All of the prompt but its last step, which `Llama.generate` reads. Returns how many tokens are read."""
        llama = self._llama
        reading.prompt = reading.prompt.in_time()
        tokens = reading.prompt.tokens
        # One token is always evaluated again: the next one is guessed from it.
        cached = min(self._prefixes.prepare(tokens), len(tokens) - 1)
        self._metrics.cache_bytes.set(self._prefixes.saved_bytes)
        if reading.cached is None:
            reading.cached, reading.began = cached, time.monotonic()
            self._metrics.prompt_tokens.inc(len(tokens))
            self._metrics.dropped_turns.inc(reading.prompt.dropped_turns)
        if not llama._ctx.kv_cache_seq_rm(-1, cached, -1):
            return 0  # a kind of model that is read from its beginning or not at all
        llama.n_tokens = cached
        rate = self._rate.tokens_per_second or _MOST_STEP_TOKENS
        step = max(_LEAST_STEP_TOKENS, min(_MOST_STEP_TOKENS, int(rate * _STEP_SECONDS)))
        with self._stoppable(reading), abortable(llama, reading.stop, self._progress.sign):
            while len(tokens) - llama.n_tokens > step:
                self._read_step(tokens[llama.n_tokens : llama.n_tokens + step])
                reading.evaluated += step
                if shorter_waits(self._rate.seconds(len(tokens) - llama.n_tokens, llama.n_tokens)):
                    raise GivesWayError
        return llama.n_tokens

    def _read_step(self, tokens: list[int]) -> None:
        depth, began = self._llama.n_tokens, time.monotonic()
        self._llama.eval(tokens)
        self._rate.observe(len(tokens), depth, time.monotonic() - began)

    @contextmanager
    def _stoppable(self, reading: Reading) -> Iterator[None]:
        """Tells a stop from a failure, and leaves the context usable after either. Raises `StoppedError`."""
        try:
            yield
        except RuntimeError as error:
            if reading.stop.is_set():
                # Whole batches that were read stay in the cache and count; the next eval clears what lies behind them.
                self._llama._requires_eval = True
                raise StoppedError from error
            self._llama.reset()  # type: ignore[no-untyped-call]  # as llama_cpp has it
            raise

    def _write(self, reading: Reading, depth: int, emit: Callable[[str], None]) -> Answer:
        llama, prompt = self._llama, reading.prompt
        detokenizer = Detokenizer(prompt.stops, trim_start=not prompt.continues)
        repetition = Repetition()
        generated = 0
        reason: FinishReason = "length"
        began = time.monotonic()
        ends_at = math.inf
        llama.set_seed(random.getrandbits(32) if prompt.seed is None else prompt.seed & 0xFFFFFFFF)
        for token in self._tokens(reading, depth):
            if llama_cpp.llama_vocab_is_eog(self._vocabulary, token):
                reason = "stop"
                break
            generated += 1
            self._progress.sign()
            self._metrics.generated_tokens.inc()
            if generated == 1:
                began = time.monotonic()
                ends_at = began + self._answer_seconds
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
        self.answer_time.observe(generated, time.monotonic() - began)
        return Answer(reason, detokenizer.stop, Usage(len(prompt.tokens), reading.cached or 0, generated))

    def _tokens(self, reading: Reading, depth: int) -> Iterator[int]:
        """The model's tokens, timed; `depth` of the prompt's are read. Raises `StoppedError` within one of them."""
        llama, metrics, prompt = self._llama, self._metrics, reading.prompt
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
            with self._stoppable(reading):
                with abortable(llama, reading.stop, self._progress.sign):
                    token = next(tokens)
                if mask:
                    mask.consume(token)
                first_token = time.monotonic()
                metrics.prefill_seconds.observe(first_token - reading.began)
                self._rate.observe(len(prompt.tokens) - depth, depth, first_token - began)
                metrics.prefill_rate.set(self._rate.tokens_per_second)
                yielded = 0
                try:
                    while True:
                        if reading.stop.is_set():
                            raise StoppedError
                        yield token
                        yielded += 1
                        token = self._written(tokens)
                        if mask:
                            mask.consume(token)
                finally:
                    if yielded > 1:
                        metrics.decode_rate.observe((yielded - 1) / (time.monotonic() - first_token))
        finally:
            reading.evaluated += max(0, min(llama.n_tokens, len(prompt.tokens)) - depth)
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
