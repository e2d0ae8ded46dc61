"""Server-sent events, split out of a byte stream as it arrives."""

_LARGEST_EVENT_BYTES = 4 * 1024 * 1024


class SseSplitter:
    """Feed it reads of any size, get back the events that are complete.

    Works on bytes, so a character or an event split across reads is no special case.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, read: bytes) -> list[bytes]:
        """The events that `read` completes, each without its blank line, as they came but for a proxy's line ends.

        Raises `ValueError` when an event grows beyond 4 MiB.
        """
        data = self._rest + read
        if b"\r" in data:  # JSON holds none that are bare
            data = data.replace(b"\r\n", b"\n")
        *events, self._rest = data.split(b"\n\n")
        if len(self._rest) > _LARGEST_EVENT_BYTES:
            raise ValueError("an event of more than 4 MiB")
        return events


def data_of(event: bytes) -> bytes | None:
    """The `data` of one event; None when it has none, as a comment. A Messages event carries its type in its data."""
    lines = [line[6:] if line[5:6] == b" " else line[5:] for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None
