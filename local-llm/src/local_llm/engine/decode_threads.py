"""How many threads write: as many as there are cores, or one fewer when somebody else is busy on them. No I/O.

Writing takes many small steps, each as slow as its slowest thread. On two quiet cores two threads write nearly twice as
fast as one; with another process on one of them, SmolLM2 wrote 55 tokens per second with one thread and 22 to 58 with
two. Nobody can know beforehand, so both are tried now and then, a few tokens long, and the faster one is used.
"""

from __future__ import annotations

_TRIAL_TOKENS = 5  # the first of them, in which threads wake up, is not counted
_TOKENS_BETWEEN_TRIALS = 120
_GAIN = 0.95  # a change must be worth it
_SMOOTHING = 0.1


class DecodeThreads:
    """Says how many threads the next token is to be written with, and learns from how long it took."""

    def __init__(self, fewer: int, more: int) -> None:
        self._choices = sorted({fewer, more})  # one, when the operator has decided
        self._seconds: dict[int, float] = {}  # per token
        self._best = self._choices[0]
        self._tried: int | None = None
        self._trial: list[float] = []
        self._until_trial = _TRIAL_TOKENS

    @property
    def count(self) -> int:
        """For the next token."""
        return self._best if self._tried is None else self._tried

    def observe(self, seconds: float) -> None:
        """A token was written with `count` threads in so long."""
        if len(self._choices) == 1:
            return
        if self._tried is None:
            before = self._seconds.get(self._best, seconds)
            self._seconds[self._best] = before + (seconds - before) * _SMOOTHING
            self._until_trial -= 1
            if self._until_trial <= 0:
                self._tried = next(choice for choice in self._choices if choice != self._best)
                self._trial = []
            return
        self._trial.append(seconds)
        if len(self._trial) == _TRIAL_TOKENS:
            self._seconds[self._tried] = sum(self._trial[1:]) / (_TRIAL_TOKENS - 1)
            if self._seconds[self._tried] < _GAIN * self._seconds[self._best]:
                self._best = self._tried
            self._tried = None
            self._until_trial = _TOKENS_BETWEEN_TRIALS
