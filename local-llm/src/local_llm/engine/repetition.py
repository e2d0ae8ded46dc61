"""Notices an answer that says the same over and over. No I/O."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# What is written on purpose comes to less: a ruler of 80 dashes is 5 to 80 tokens, a table's line under its head 30,
# ten lines of ten zeros 210, a text's refrain never more than twice without anything between. A model that loops says a
# sentence of 5 to 60 tokens until it is stopped: it gets 240 tokens, 3 s of SmolLM2's, and a quarter of an answer.
LEAST_TOKENS = 240
LEAST_ROUNDS = 4
LONGEST_ROUND_TOKENS = 128


class Repetition:
    """Watches one answer's tokens. It repeats itself when the last 240 are one round of tokens over and over.

    A round may have up to 128 tokens; one that is longer than 60 must have come four times.
    """

    def __init__(self) -> None:
        rounds = np.arange(1, LONGEST_ROUND_TOKENS + 1)
        self._last: NDArray[np.intc] = np.full(LONGEST_ROUND_TOKENS, -1, dtype=np.intc)  # the newest first
        self._same: NDArray[np.int_] = np.zeros(LONGEST_ROUND_TOKENS, dtype=np.int_)  # by length of the round
        self._enough = np.maximum(LEAST_TOKENS, LEAST_ROUNDS * rounds) - rounds  # the first round repeats nothing

    def observe(self, token: int) -> bool:
        """Whether the answer repeats itself, now that this token has come."""
        self._same = (self._same + 1) * (self._last == token)
        self._last = np.roll(self._last, 1)
        self._last[0] = token
        return bool((self._same >= self._enough).any())
