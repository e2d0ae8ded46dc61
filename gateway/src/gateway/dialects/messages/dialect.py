"""POST /v1/messages and /v1/messages/count_tokens, in Anthropic's dialect."""

from gateway.dialects.anthropic_error import AnthropicError
from gateway.dialects.interface import Broken, Dialect, Json, Noticed, Request
from gateway.dialects.messages.request import read_messages_request
from gateway.dialects.messages.stream import BrokenMessage, NoticedMessage, parse, put_in_front

PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"

_ERROR_EVENT = b"event: error\n"
_MESSAGE_STOP = b"event: message_stop\n"
_STOP_WITHIN_BYTES = 4096  # the last event may be padded

_REASON_OF_TYPE = {
    "authentication_error": "auth",
    "billing_error": "billing",
    "permission_error": "permission",
    "not_found_error": "model_not_found",
    "rate_limit_error": "rate_limit",
    "timeout_error": "timeout",
    "overloaded_error": "overloaded",
}

# The client's connection and credentials, and what Brains says itself.
_NOT_PASSED_FORWARD = frozenset(
    (
        *(b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"content-length"),
        *(b"host", b"expect", b"authorization", b"x-api-key", b"cookie", b"proxy-authorization"),
        *(b"content-type", b"x-request-id", b"accept-encoding", b"x-pilot-notice", b"x-pilot-api-key"),
    )
)


class Messages(Dialect):
    """Messages: named events in a strict order."""

    name = "anthropic"
    path = PATH
    error_mark = _ERROR_EVENT

    def read(self, raw: bytes, content_type: str) -> Request:
        """Parse and check a body. Raises AnthropicError."""
        return read_messages_request(raw, content_type)

    def failure(self, status: int, message: str, code: str, headers: dict[str, str]) -> AnthropicError:
        """An error that is not the client's; this dialect knows no code beside the type."""
        return AnthropicError(status, message, headers)

    def passed_forward(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
        """Version, betas and whatever else the client tells Anthropic."""
        return [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in headers
            if name not in _NOT_PASSED_FORWARD
        ]

    def error_headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        """Where the SDKs look for the request's name."""
        return [(b"request-id", request_id.encode("latin-1"))] if request_id else []

    def error_event(self, body: bytes) -> bytes:
        """An `error` event."""
        return _ERROR_EVENT + b"data: " + body + b"\n\n"

    def put_in_front(self, answer: Json, notice: str) -> Json | None:
        """The notice as the first text block's first paragraph."""
        return put_in_front(answer, notice)

    def noticed(self, notice: str) -> Noticed:
        """The notice opens the first text block."""
        return NoticedMessage(notice)

    def has_words(self, read: bytes) -> bool:
        """Local's signs of life are pings."""
        return b"content_block_" in read

    def is_whole(self, said: bytearray) -> bool:
        """Whether `message_stop` has come."""
        return _MESSAGE_STOP in said[-_STOP_WITHIN_BYTES:]

    def reason_of(self, error_event: bytes) -> str:
        """claude-adapter's own events name it; Anthropic's have a type."""
        error = parse(error_event.partition(b"\n\n")[0]).get("error")
        if not isinstance(error, dict):
            return "protocol"
        return str(error.get("reason") or _REASON_OF_TYPE.get(str(error.get("type")), "server_error"))

    def broken(self, said: bytes) -> Broken:
        """Read the events that were passed on."""
        return BrokenMessage(said)

    def broken_error(self, error_event: bytes) -> bytes | None:
        """Anthropic's own error event; one with a `reason` is claude-adapter's."""
        event = error_event.partition(b"\n\n")[0]
        error = parse(event).get("error")
        return event + b"\n\n" if isinstance(error, dict) and "reason" not in error else None


class CountTokens(Messages):
    """Counting the tokens of a Messages request: the same body, and a number for an answer."""

    path = COUNT_PATH
    counts_as_answer = False

    def read(self, raw: bytes, content_type: str) -> Request:
        """Parse and check a body, which needs no `max_tokens`. Raises AnthropicError."""
        return read_messages_request(raw, content_type, counting=True)

    def put_in_front(self, answer: Json, notice: str) -> Json | None:
        """There are no words in a number."""
        return None
