"""What differs between the APIs that clients speak. The exchange asks here and knows no API itself."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from gateway.dialects.errors import ApiError

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """A checked request. `body` is the parsed JSON; `spoken` is false when a notice would spoil the answer."""

    body: Json
    stream: bool
    model: str
    json_mode: bool
    spoken: bool


class Noticed(Protocol):
    """A local stream that begins with the notice. Once `settled`, its reads go on as they come."""

    settled: bool

    def begin(self, first_event: bytes) -> bytes:
        """The stream's first event and the notice behind it."""

    def feed(self, read: bytes) -> bytes:
        """What goes on of the next read."""


class Broken(Protocol):
    """A stream of Claude's that broke: how it ends, and how another brain's events join it."""

    finished: bool  # all had been said; only the goodbye is missing

    @property
    def joinable(self) -> bool:
        """Whether another brain can go on with the half that there is."""

    def goodbye(self) -> bytes:
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
    path: ClassVar[str]  # at the brains
    error_mark: ClassVar[bytes]  # how an error event begins
    counts_as_answer: ClassVar[bool] = True  # whether the person reads what comes

    @abstractmethod
    def read(self, raw: bytes, content_type: str) -> Request:
        """Parse and check a body. Raises an ApiError of this dialect."""

    @abstractmethod
    def failure(self, status: int, message: str, code: str, headers: dict[str, str]) -> ApiError:
        """An error that is not the client's."""

    def passed_forward(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
        """The client's header lines that the brains are to see; several of one name stay several."""
        return []

    def error_headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """Headers that this API's errors have, for those made here."""
        return []

    @abstractmethod
    def error_event(self, body: bytes) -> bytes:
        """An error in a stream."""

    @abstractmethod
    def put_in_front(self, answer: Json, notice: str) -> Json | None:
        """The unary answer with the notice as its first paragraph, or None when it has no words."""

    @abstractmethod
    def noticed(self, notice: str) -> Noticed:
        """A local stream that is to begin with the notice."""

    @abstractmethod
    def has_words(self, read: bytes) -> bool:
        """Whether this read of a local stream brings words, and not only signs of life."""

    @abstractmethod
    def is_whole(self, said: bytearray) -> bool:
        """Whether a stream has come to its end."""

    @abstractmethod
    def reason_of(self, error_event: bytes) -> str:
        """Why a stream broke, by its error event; `protocol` when that cannot be read."""

    @abstractmethod
    def broken(self, said: bytes) -> Broken:
        """Read the whole events that were passed on before the stream broke."""

    def broken_error(self, error_event: bytes) -> bytes | None:
        """The upstream's error event, when it is one that this API's clients know; else None."""
        return None
