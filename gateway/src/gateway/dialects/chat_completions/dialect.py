"""POST /v1/chat/completions, in OpenAI's dialect."""

import orjson

from gateway.dialects.chat_completions.request import read_chat_request
from gateway.dialects.interface import Broken, Dialect, Json, Noticed, Request
from gateway.dialects.openai_error import OpenAIError
from gateway.relay.notice import notice_event, put_in_front
from gateway.relay.rescue import DONE_EVENT, BrokenChat

PATH = "/v1/chat/completions"

_ERROR_TYPES = {503: "service_unavailable"}


class ChatCompletions(Dialect):
    """Chat Completions: unnamed events, an error object, `[DONE]` at the end."""

    name = "openai"
    path = PATH
    error_mark = b'data: {"error"'

    def read(self, raw: bytes, content_type: str) -> Request:
        """Parse and check a body. Raises OpenAIError."""
        return read_chat_request(raw, content_type)

    def failure(self, status: int, message: str, code: str, headers: dict[str, str]) -> OpenAIError:
        """An error that is not the client's."""
        return OpenAIError(status, message, code, type=_ERROR_TYPES.get(status, "server_error"), headers=headers)

    def error_event(self, body: bytes) -> bytes:
        """The error object as an event."""
        return b"data: " + body + b"\n\n"

    def put_in_front(self, answer: Json, notice: str) -> Json | None:
        """The notice as the content's first paragraph."""
        return put_in_front(answer, notice)

    def noticed(self, notice: str) -> Noticed:
        """The notice is a chunk of its own."""
        return _NoticeChunk(notice)

    def has_words(self, read: bytes) -> bool:
        """Local's signs of life are comments."""
        return not read.startswith(b":")

    def is_whole(self, said: bytearray) -> bool:
        """Whether `[DONE]` has come."""
        return DONE_EVENT in said[-64:]

    def reason_of(self, error_event: bytes) -> str:
        """claude-adapter puts it into the error's code."""
        try:
            code = orjson.loads(error_event.partition(b"\n\n")[0].removeprefix(b"data: "))["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return "protocol"
        return str(code)

    def broken(self, said: bytes) -> Broken:
        """Read the chunks that were passed on."""
        return BrokenChat(said)


class _NoticeChunk:
    settled = True

    def __init__(self, notice: str) -> None:
        self._notice = notice

    def begin(self, first_event: bytes) -> bytes:
        return first_event + notice_event(first_event, self._notice)

    def feed(self, read: bytes) -> bytes:
        return read
