"""How fast this machine reads prompts now, and how many tokens that makes in a given time. No I/O.

A token costs the same arithmetic over the weights wherever it stands, and attention to every token before it. The
second part's share follows from the model's shape, so one number, the rate at depth 0, is all there is to measure.
On SmolLM2 with 2 cores: 206 tokens per second at the beginning, 136 at depth 2,300, 87 at 5,400, as the shape says.
"""

from __future__ import annotations

import math
import threading

import llama_cpp

MEASURABLE_TOKENS = 32  # fewer are read at another rate: the weights are fetched from memory for so little
_FLOOR_TOKENS = 128  # persona and question need that much, however slow the machine
_TRUST_SECONDS = 3.0  # a measurement this long counts as much as all before it
# Budgets follow the rate in steps: with every change the conversations in the cache are cut elsewhere, and read anew.
_SLOWER, _FASTER, _MARGIN = 0.9, 1.25, 0.95


def share_of(llama: llama_cpp.Llama) -> float:
    """What one token of depth adds to a token's cost, for this model."""
    model = llama.model
    layers, parameters = llama_cpp.llama_model_n_layer(model), llama_cpp.llama_model_n_params(model)
    return attention_share(layers, llama.n_embd(), parameters)


def attention_share(layers: int, dimensions: int, parameters: int) -> float:
    """4 operations per layer and dimension, over 2 per parameter."""
    return 2 * layers * dimensions / parameters


class PrefillRate:
    """The rate measured at start and kept current. May be used from any thread."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._measured: float | None = None  # tokens per second at depth 0
        self._used: float | None = None
        self._lock = threading.Lock()

    def observe(self, fresh_tokens: int, depth_tokens: int, seconds: float) -> None:
        """So many tokens were read on top of so many in so long."""
        if fresh_tokens < MEASURABLE_TOKENS or seconds <= 0:
            return
        rate = self._work(fresh_tokens, depth_tokens) / seconds
        with self._lock:
            if self._measured is None or self._used is None:
                self._measured, self._used = rate, rate * _MARGIN
                return
            self._measured += (rate - self._measured) * seconds / (seconds + _TRUST_SECONDS)
            if not _SLOWER * self._used <= self._measured <= _FASTER * self._used:
                self._used = self._measured * _MARGIN

    @property
    def tokens_per_second(self) -> float:
        """At depth 0; 0 before the first measurement."""
        return self._measured or 0.0

    def seconds(self, fresh_tokens: int, depth_tokens: int) -> float:
        """How long reading would take; 0 before the first measurement."""
        return self._work(fresh_tokens, depth_tokens) / self._used if self._used else 0.0

    def tokens_within(self, seconds: float) -> int | None:
        """How many tokens can be read from the beginning; None before the first measurement."""
        if self._used is None:
            return None
        work = self._used * seconds
        share = self._share
        tokens = (math.sqrt(1 + 2 * share * work) - 1) / share if share else work
        return max(_FLOOR_TOKENS, int(tokens))

    def _work(self, fresh_tokens: int, depth_tokens: int) -> float:
        """In tokens at depth 0."""
        return fresh_tokens * (1 + self._share * (depth_tokens + fresh_tokens / 2))
