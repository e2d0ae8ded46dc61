"""What differs between the APIs that clients speak. The relay asks here and knows no API itself.

The backends speak Chat Completions and Messages. A dialect that they do not speak reads its requests into one of these
(`Request.body`) and gives its `Reply` the answers of that one; all between is that one's.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from gateway.dialects import sse
from gateway.dialects.errors import ApiError

Json = dict[str, Any]

# What every dialect's document says of the field.
MODEL_ABOUT = "A claude-… name, an alias, `local`, or anything else for the best there is."


@dataclass(frozen=True)
class Request:
    """A checked request; `body` is for the backends, and `raw` holds it, where it is not yet to be written.

    `additions_allowed`: notice and mark would not spoil the answer.
    """

    body: Json
    raw: bytes
    stream: bool
    model: str
    json_mode: bool
    additions_allowed: bool
    original: Json = field(default_factory=dict)  # as the client sent it, where that is another API's


def is_begun(body: Json) -> bool:
    """Whether the client has begun the answer itself: nothing may come between its words and those that go on."""
    return bool(body["messages"][-1]["role"] == "assistant")


class Reply:
    """An answer in the backends' API as one in the client's; here they are the same."""

    def whole(self, body: bytes) -> bytes:
        """The body of a good answer that is not streamed."""
        return body

    def events(self, events: bytes) -> bytes:
        """Whole events of a stream, errors included."""
        return events


class StreamEdit(Protocol):
    """A stream of the local model's that something is added to."""

    def feed(self, events: bytes) -> bytes:
        """The next whole events, with the addition where it belongs."""


class PartialAnswer(Protocol):
    """The part of an answer of Claude's that came before its stream broke: how it ends, and how another's goes on."""

    finished: bool  # all has been said; only the stream's end is missing

    @property
    def joinable(self) -> bool:
        """Whether the local model can go on with it."""

    def ending(self) -> bytes:
        """The events that a finished stream lacks."""

    def continuation(self, body: Json) -> bytes:
        """The request for the local model: the conversation, the answer as far as it had come, and no tools."""

    def line(self, model: str, line: str) -> bytes:
        """`line` as events of the stream that broke."""

    def join(self, event: bytes) -> bytes:
        """One event of the continuation (without its blank line) as events of the stream it continues."""


class Dialect(ABC):
    """One API."""

    name: ClassVar[str]  # the metrics' label
    path: ClassVar[str]  # at the edge
    backend_path: ClassVar[str]  # at the backends
    counts_as_answer: ClassVar[bool] = True  # whether the person reads what comes

    @abstractmethod
    def read(self, raw: bytes, content_type: str) -> Request:
        """Parse and check a body. Raises an ApiError of this dialect."""

    def reply(self, request: Request) -> Reply:
        """What makes the client's answer of the backends'."""
        return Reply()

    def passed_forward(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
        """The client's header lines that the backends are to see; several of one name stay several."""
        return []

    @abstractmethod
    def error(self, status: int, message: str, code: str, headers: dict[str, str]) -> ApiError:
        """An error that is not the client's."""

    def error_headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """Headers that this API's errors have, for those made here."""
        return []

    @abstractmethod
    def error_event(self, body: bytes) -> bytes:
        """An error in a stream."""

    @abstractmethod
    def is_error(self, event: bytes) -> bool:
        """Whether this event (without its blank line) is an error."""

    @abstractmethod
    def reason_of(self, error_event: bytes) -> str:
        """Why a stream broke, by its error event; `protocol` when that cannot be read."""

    def upstream_error(self, error_event: bytes) -> bytes | None:
        """The error event as it came, when it is one that this API's clients know; else None."""
        return None

    @abstractmethod
    def with_notice(self, answer: Json, notice: str) -> Json | None:
        """The unary answer with the notice as its first paragraph, or None when it has no words."""

    @abstractmethod
    def notice_stream(self, notice: str) -> StreamEdit:
        """A local stream that is to begin with the notice: at once behind the event that opens the answer."""

    @abstractmethod
    def with_mark(self, answer: Json, mark: str) -> Json | None:
        """The unary answer with the mark at the end of its text, or None when it has no words."""

    @abstractmethod
    def mark_stream(self, mark: str) -> StreamEdit:
        """A local stream whose text is to end with the mark."""

    @abstractmethod
    def has_words(self, events: bytes) -> bool:
        """Whether these events of a local stream bring words, and not only signs of life."""

    @abstractmethod
    def has_ended(self, sent: bytearray) -> bool:
        """Whether a stream has come to its end."""

    @abstractmethod
    def partial(self, sent: bytes) -> PartialAnswer:
        """Read the whole events that were passed on before the stream broke."""

    def split_at_error(self, events: bytes) -> tuple[bytes, bytes]:
        """The events before the first error, and that error; both with their blank lines."""
        if b"error" not in events:  # most reads: no event has to be looked at
            return events, b""
        before = b""
        for event in sse.split(events):
            if self.is_error(event):
                return before, event + b"\n\n"
            before += event + b"\n\n"
        return before, b""
