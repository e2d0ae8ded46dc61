"""How long an answer is expected to take, by what the last ones took. No I/O."""

from __future__ import annotations

_SMOOTHING = 0.2
_FIRST_TOKENS, _FIRST_SECONDS_PER_TOKEN = 100.0, 0.03  # until something has been measured


class AnswerTime:
    """Learns from each answer how long answers become and how fast they are written. May be read from any thread."""

    def __init__(self) -> None:
        self._tokens = _FIRST_TOKENS
        self._seconds_per_token = _FIRST_SECONDS_PER_TOKEN

    def observe(self, tokens: int, writing_seconds: float) -> None:
        """An answer of so many tokens was written in so long."""
        if tokens < 1:
            return
        self._tokens += (tokens - self._tokens) * _SMOOTHING
        self._seconds_per_token += (writing_seconds / tokens - self._seconds_per_token) * _SMOOTHING

    def expected_seconds(self, reading_seconds: float, max_tokens: int) -> float:
        """Reading, then as much writing as usual, if the client lets it become so long."""
        return reading_seconds + min(self._tokens, max_tokens) * self._seconds_per_token
