"""`GET /status/events`: every change of the status as server-sent events, to a bounded number of readers.

An event is the whole status, so a reader that missed some loses nothing by taking the last; Last-Event-ID still brings
those that are remembered. A reader that does not keep up is let go, and comes back by itself.
"""

import asyncio
import contextlib
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from types import FrameType

import orjson

from gateway.status.document import Json, View, public_document

MOST_READERS = 64
MOST_PUBLIC_READERS = 48  # the others are for callers with a key
MOST_WAITING = 16
REMEMBERED = 64
HEARTBEAT_SECONDS = 5.0
RETRY_MILLISECONDS = 1000


@dataclass(eq=False)
class _Reader:
    view: View
    caller: str
    waiting: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING + 1))
    task: asyncio.Task[object] | None = None


class TooManyReadersError(Exception):
    """No place is free."""


class StatusEvents:
    """The latest status and those who want to hear of the next."""

    def __init__(self) -> None:
        self._epoch = f"{time.time_ns() // 1_000_000:x}"  # ids of an earlier process mean nothing in this one
        self._number = 0
        self._readers: set[_Reader] = set()
        self._past: deque[tuple[str, dict[View, bytes]]] = deque(maxlen=REMEMBERED)
        self._last: Json = {}
        self._last_public: Json = {}
        self._ended = False

    @property
    def readers(self) -> int:
        """How many are listening."""
        return len(self._readers)

    def publish(self, document: Json) -> None:
        """Tell everybody, if anything is new to them."""
        if document == self._last:
            return
        public = public_document(document)
        self._number += 1
        identity = f"{self._epoch}-{self._number}"
        events: dict[View, bytes] = {"full": _event(identity, document), "public": _event(identity, public)}
        is_new: dict[View, bool] = {"full": True, "public": public != self._last_public}
        self._last, self._last_public = document, public
        self._past.append((identity, events))
        for reader in tuple(self._readers):
            if is_new[reader.view]:
                self._hand(reader, events[reader.view])

    def listen(self, view: View, last_event_id: str | None, caller: str = "") -> AsyncIterator[bytes]:
        """The stream of one reader; `caller` is the name of its key, if it has one. Raises TooManyReadersError."""
        if self._ended or not self._has_place_for(view, caller):
            raise TooManyReadersError
        reader = _Reader(view, caller)
        self._readers.add(reader)  # at once, so that the limit holds among those who come together
        return self._stream(reader, last_event_id)

    def end(self) -> None:
        """Let everybody go; they come back to the next process."""
        self._ended = True
        for reader in tuple(self._readers):
            self._let_go(reader)

    @contextlib.contextmanager
    def ending_on_signals(self) -> Iterator[None]:
        """End the streams as soon as the server has to stop, or it would wait for them for as long as it may."""
        loop = asyncio.get_running_loop()
        before = {}
        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)

            def stop(number: int, frame: FrameType | None, handler: object = handler) -> None:
                loop.call_soon_threadsafe(self.end)
                if callable(handler):
                    handler(number, frame)

            try:
                signal.signal(number, stop)
            except ValueError:  # not the main thread: then no signal comes here either
                break
            before[number] = handler
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self.end()

    def _has_place_for(self, view: View, caller: str) -> bool:
        """Whoever has a key gets one place at least, whatever the others have taken."""
        if view == "public" and sum(reader.view == "public" for reader in self._readers) >= MOST_PUBLIC_READERS:
            return False
        is_first = bool(caller) and all(reader.caller != caller for reader in self._readers)
        return is_first or len(self._readers) < MOST_READERS

    async def _stream(self, reader: _Reader, last_event_id: str | None) -> AsyncIterator[bytes]:
        reader.task = asyncio.current_task()
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
            for event in self._missed(reader.view, last_event_id):
                yield event
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        event_or_end = await reader.waiting.get()
                except TimeoutError:
                    # The comment keeps the way open; the event lets the page see that it is.
                    yield b": still here\nevent: beat\ndata: {}\n\n"
                    continue
                if event_or_end is None:
                    return
                yield event_or_end
        finally:
            self._readers.discard(reader)

    def _missed(self, view: View, last_event_id: str | None) -> list[bytes]:
        past = list(self._past)
        for index, (identity, _) in enumerate(past):
            if identity == last_event_id:
                return [events[view] for _, events in past[index + 1 :]]
        return [events[view] for _, events in past[-1:]]

    def _hand(self, reader: _Reader, event: bytes) -> None:
        if reader.waiting.qsize() >= MOST_WAITING:
            self._let_go(reader, slow=True)
        else:
            reader.waiting.put_nowait(event)

    def _let_go(self, reader: _Reader, slow: bool = False) -> None:
        self._readers.discard(reader)
        if slow and reader.task:
            reader.task.cancel()  # it hangs in a write that nobody reads
        elif not reader.waiting.full():
            reader.waiting.put_nowait(None)


def _event(identity: str, document: Json) -> bytes:
    return f"id: {identity}\nevent: status\ndata: ".encode() + orjson.dumps(document) + b"\n\n"
