"""Server-sent events as the standard has them, wherever reads split them.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from collections.abc import Iterator
from typing import Any

import orjson

Json = dict[str, Any]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Whole events from the reads of one stream; their lines end in LF, and there is no byte order mark.

    An event that a stream's end cuts off never comes out.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False
        self._after_cr = False

    def feed(self, read: bytes) -> bytes:
        """The events that are whole now, each with its blank line."""
        if not self._begun:
            self._rest += read
            if len(self._rest) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(self._rest):
                return b""
            self._begun = True
            read, self._rest = self._rest.removeprefix(_BYTE_ORDER_MARK), b""
        if self._after_cr or b"\r" in read:
            read = self._with_line_feeds(read)
        whole, blank_line, self._rest = (self._rest + read).rpartition(b"\n\n")
        return whole + blank_line

    def _with_line_feeds(self, read: bytes) -> bytes:
        if not read:
            return read
        if self._after_cr:  # its LF comes only now
            read = read.removeprefix(b"\n")
        self._after_cr = read.endswith(b"\r")
        return read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def split(events: bytes) -> list[bytes]:
    """Each of these whole events, without its blank line."""
    return [event for event in (part.lstrip(b"\n") for part in events.split(b"\n\n")) if event]


def name(event: bytes) -> bytes:
    """The event's name; empty when it has none."""
    return next((value for field, value in _fields(event) if field == b"event"), b"")


def data(event: bytes) -> bytes:
    """The event's data; empty for a comment."""
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    return b"\n".join(value for field, value in _fields(event) if field == b"data")


def document(event: bytes) -> Json:
    """The event's data as a JSON object; empty when it is none."""
    try:
        found = orjson.loads(data(event))
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _fields(event: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        yield field, value.removeprefix(b" ")
