"""Server-sent events, split out of a byte stream as it arrives."""

_LARGEST_EVENT_BYTES = 4 * 1024 * 1024


class SseSplitter:
    """Feed it reads of any size, get back the `data` of each event that is complete.

    Works on bytes, so a character or an event split across reads is no special case. Comments, `event:`, `id:` and
    `retry:` lines are dropped: a Messages event carries its type in its data.
    """

    __slots__ = ("_data", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, read: bytes) -> list[bytes]:
        """The `data` of the events that `read` completes; `ValueError` when an event grows beyond 4 MiB."""
        *lines, rest = (self._rest + read).split(b"\n")
        if len(rest) > _LARGEST_EVENT_BYTES:
            raise ValueError("an event of more than 4 MiB")
        self._rest = rest
        events: list[bytes] = []
        for line in lines:
            text = line[:-1] if line.endswith(b"\r") else line
            if text.startswith(b"data:"):
                self._data.append(text[6:] if text.startswith(b"data: ") else text[5:])
            elif not text and self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data = []
        return events
