"""Where the mark of a local answer goes, the same for every dialect."""

import re

_CODE_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LINE_START = 8  # so much of a line tells a fence


class MarkPlace:
    """Where the mark goes: behind what has been said, as `said` is told of it piece by piece."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._anything = False
        self._line = ""  # the last one, as far as it matters

    def said(self, text: str) -> None:
        """The next piece of the answer."""
        self._anything = self._anything or bool(text.strip())
        _, newline, line = text.rpartition("\n")
        self._line = (line if newline else self._line + line)[:_LINE_START]

    def take(self) -> str:
        """The mark with what parts it from the text before; empty when there is nothing to mark since the last time."""
        if not self._anything:
            return ""
        self._anything = False
        # On the line of a code block's last fence it would keep the block open.
        return f"\n{self._mark}" if _CODE_FENCE.match(self._line) else f" {self._mark}"
