"""Token bytes to text that may be shown: whole characters only, and nothing of a stop sequence. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Detokenizer:
    """Collects the bytes of one answer and hands out what is safe to send.

    `stop` is the first stop sequence that came; it and everything after it is never handed out.
    """

    def __init__(self, stops: Sequence[str] = (), *, trim_start: bool = True) -> None:
        self.stop: str | None = None
        self._stops = [stop for stop in stops if stop]
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self._trim_start = trim_start  # some vocabularies begin every answer with a space

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence has come."""
        return self.stop is not None

    def feed(self, token: bytes) -> str:
        """Add one token's bytes; returns what can go out now, often all of it, sometimes nothing."""
        return self._safe(self._decoder.decode(token), final=False)

    def finish(self) -> str:
        """What was held back and turned out to be no stop sequence."""
        return self._safe(self._decoder.decode(b"", final=True), final=True)

    def _safe(self, text: str, *, final: bool) -> str:
        if self.stopped:
            return ""
        if self._trim_start:
            text = text.lstrip()
            self._trim_start = not text
        self._held += text
        found = [(at, stop) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            safe_length, self.stop = min(found)
        else:
            safe_length = len(self._held) - (0 if final else self._possible_stop_length())
        safe, self._held = self._held[:safe_length], self._held[safe_length:]
        return safe

    def _possible_stop_length(self) -> int:
        """Characters at the end that could be the beginning of a stop sequence."""
        return max(
            (size for stop in self._stops for size in range(1, len(stop)) if self._held.endswith(stop[:size])),
            default=0,
        )
