"""POST /v1/messages and /v1/messages/count_tokens, in Anthropic's dialect."""

from gateway.dialects import sse
from gateway.dialects.errors import AnthropicError
from gateway.dialects.interface import Dialect, Json, PartialAnswer, Request, StreamEdit
from gateway.dialects.mark import MarkPlace
from gateway.dialects.messages.request import read_messages_request
from gateway.dialects.messages.stream import MarkDelta, NoticeBlock, PartialMessage

PATH = "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"

_MESSAGE_STOP = b"message_stop"
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

# The client's connection and credentials, and what Upstream says itself.
_NOT_PASSED_FORWARD = frozenset(
    (
        *(b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"content-length"),
        *(b"host", b"expect", b"authorization", b"x-api-key", b"cookie", b"proxy-authorization"),
        *(b"content-type", b"x-request-id", b"accept-encoding", b"x-pilot-notice", b"x-pilot-api-key"),
        b"x-pilot-fallback",
        b"x-pilot-local-answers",  # only the gateway says it
    )
)


class Messages(Dialect):
    """Messages: named events in a strict order."""

    name = "anthropic"
    path = backend_path = PATH

    def read(self, raw: bytes, content_type: str) -> Request:
        """Parse and check a body. Raises AnthropicError."""
        return read_messages_request(raw, content_type)

    def error(self, status: int, message: str, code: str, headers: dict[str, str]) -> AnthropicError:
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
        return b"event: error\ndata: " + body + b"\n\n"

    def is_error(self, event: bytes) -> bool:
        """By its name, or, without one, by its data."""
        return _kind_of(event) == b"error"

    def with_notice(self, answer: Json, notice: str) -> Json | None:
        """The notice as the first text block's first paragraph."""
        return put_in_front(answer, notice)

    def notice_stream(self, notice: str) -> StreamEdit:
        """The notice opens the first text block."""
        return NoticeBlock(notice)

    def with_mark(self, answer: Json, mark: str) -> Json | None:
        """The mark at the end of the last text block."""
        for block in reversed(answer["content"]):
            if block.get("type") == "text":
                place = MarkPlace(mark)
                place.said(block["text"])
                end = place.take()
                block["text"] += end
                return answer if end else None
        return None

    def mark_stream(self, mark: str) -> StreamEdit:
        """The mark ends the text block."""
        return MarkDelta(mark)

    def has_words(self, events: bytes) -> bool:
        """Local's signs of life are pings."""
        return b"content_block_" in events

    def has_ended(self, sent: bytearray) -> bool:
        """Whether `message_stop` has come."""
        end = bytes(sent[-_STOP_WITHIN_BYTES:])
        return _MESSAGE_STOP in end and any(_kind_of(event) == _MESSAGE_STOP for event in sse.split(end))

    def reason_of(self, error_event: bytes) -> str:
        """claude-adapter's own events name it; Anthropic's have a type."""
        error = _error_of(error_event)
        if not isinstance(error, dict):
            return "protocol"
        return str(error.get("reason") or _REASON_OF_TYPE.get(str(error.get("type")), "server_error"))

    def partial(self, sent: bytes) -> PartialAnswer:
        """Read the events that were passed on."""
        return PartialMessage(sent)

    def upstream_error(self, error_event: bytes) -> bytes | None:
        """Anthropic's own error event; one with a `reason` is claude-adapter's."""
        error = _error_of(error_event)
        return sse.split(error_event)[0] + b"\n\n" if isinstance(error, dict) and "reason" not in error else None


class CountTokens(Messages):
    """Counting the tokens of a Messages request: the same body, and a number for an answer."""

    path = backend_path = COUNT_PATH
    counts_as_answer = False

    def read(self, raw: bytes, content_type: str) -> Request:
        """Parse and check a body, which needs no `max_tokens`. Raises AnthropicError."""
        return read_messages_request(raw, content_type, counting=True)

    def with_notice(self, answer: Json, notice: str) -> Json | None:
        """There are no words in a number."""
        return None

    def with_mark(self, answer: Json, mark: str) -> Json | None:
        """Nor here."""
        return None


def _kind_of(event: bytes) -> bytes:
    """An event's name, or, where a relay leaves the names out, its data's type."""
    return sse.name(event) or str(sse.document(event).get("type")).encode()


def _error_of(error_event: bytes) -> object:
    return next((sse.document(event).get("error") for event in sse.split(error_event)), None)


def put_in_front(message: Json, notice: str) -> Json | None:
    """The unary message with the notice as its first paragraph, or None when it is a tool-call-only answer."""
    blocks: list[Json] = message["content"]
    words = next((block for block in blocks if block.get("type") == "text"), None)
    if words is not None:
        words["text"] = f"{notice}\n\n{words['text']}"
    elif blocks:
        return None
    else:
        blocks.append({"type": "text", "text": notice})
    return message
