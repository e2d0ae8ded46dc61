"""Server-sent events, split out of a byte stream as it arrives.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

_LARGEST_EVENT_BYTES = 4 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SseSplitter:
    """Feed it reads of any size, get back the events that are complete.

    Works on bytes, so a character, a line end or an event split across reads is no special case.
    """

    __slots__ = ("_after_cr", "_begun", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False
        self._after_cr = False

    def feed(self, read: bytes) -> list[bytes]:
        """The events that `read` completes, each without its blank line, as they came but for line ends and a BOM.

        Raises `ValueError` when an event grows beyond 4 MiB.
        """
        if not self._begun:
            read, self._rest = self._rest + read, b""
            if len(read) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(read):
                self._rest = read
                return []
            self._begun = True
            read = read.removeprefix(_BYTE_ORDER_MARK)
        if self._after_cr or b"\r" in read:
            read = self._with_line_feeds(read)
        *events, self._rest = (self._rest + read).split(b"\n\n")
        if len(self._rest) > _LARGEST_EVENT_BYTES:
            raise ValueError("an event of more than 4 MiB")
        return [event for event in (each.lstrip(b"\n") for each in events) if event]

    def _with_line_feeds(self, read: bytes) -> bytes:
        if not read:
            return read
        if self._after_cr:  # its LF comes only now
            read = read.removeprefix(b"\n")
        self._after_cr = read.endswith(b"\r")
        return read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def data_of(event: bytes) -> bytes | None:
    """The `data` of one event; None when it has none, as a comment."""
    lines = _values(event, b"data")
    return b"\n".join(lines) if lines else None


def name_of(event: bytes) -> str:
    """The event's name; empty when it has none."""
    names = _values(event, b"event")
    return names[-1].decode(errors="replace") if names else ""


def _values(event: bytes, field: bytes) -> list[bytes]:
    """The values of all lines of this field; one space behind the colon is none of it."""
    lines = (line.partition(b":") for line in event.split(b"\n"))
    return [value.removeprefix(b" ") for name, _, value in lines if name == field]
