"""POST /v1/chat/completions, in OpenAI's dialect."""

from gateway.dialects import sse
from gateway.dialects.chat_completions.request import read_chat_request
from gateway.dialects.chat_completions.stream import DONE_EVENT, MarkChunk, NoticeChunk, PartialChat
from gateway.dialects.errors import OpenAIError
from gateway.dialects.interface import Dialect, Json, PartialAnswer, Request, StreamEdit
from gateway.dialects.mark import MarkPlace

PATH = "/v1/chat/completions"


class ChatCompletions(Dialect):
    """Chat Completions."""

    name = "openai"
    path = backend_path = PATH

    def read(self, raw: bytes, content_type: str) -> Request:
        """Parse and check a body. Raises OpenAIError."""
        return read_chat_request(raw, content_type)

    def error(self, status: int, message: str, code: str, headers: dict[str, str]) -> OpenAIError:
        """An error that is not the client's."""
        return OpenAIError(status, message, code, headers=headers)

    def error_event(self, body: bytes) -> bytes:
        """The error object as an event."""
        return b"data: " + body + b"\n\n"

    def is_error(self, event: bytes) -> bool:
        """An error object stands where a chunk should."""
        return sse.document(event).get("error") is not None

    def reason_of(self, error_event: bytes) -> str:
        """claude-adapter puts it into the error's code."""
        try:
            return str(sse.document(sse.split(error_event)[0])["error"]["code"])
        except (LookupError, TypeError):
            return "protocol"

    def with_notice(self, answer: Json, notice: str) -> Json | None:
        """The notice as the content's first paragraph."""
        return put_in_front(answer, notice)

    def notice_stream(self, notice: str) -> StreamEdit:
        """The notice is a chunk of its own."""
        return NoticeChunk(notice)

    def with_mark(self, answer: Json, mark: str) -> Json | None:
        """The mark at the end of the content."""
        message = answer["choices"][0]["message"]
        place = MarkPlace(mark)
        place.said(message.get("content") or "")
        if not (end := place.take()):
            return None
        message["content"] += end
        return answer

    def mark_stream(self, mark: str) -> StreamEdit:
        """The mark is a chunk of its own."""
        return MarkChunk(mark)

    def has_words(self, events: bytes) -> bool:
        """Local's signs of life are comments."""
        return not events.startswith(b":")

    def has_ended(self, sent: bytearray) -> bool:
        """Whether `[DONE]` has come."""
        return DONE_EVENT in sent[-64:] or DONE_EVENT.replace(b" ", b"") in sent[-64:]

    def partial(self, sent: bytes) -> PartialAnswer:
        """Read the chunks that were passed on."""
        return PartialChat(sent)


def put_in_front(completion: Json, notice: str) -> Json | None:
    """The unary completion with the notice as its first paragraph, or None when it is a tool-call-only answer."""
    message = completion["choices"][0]["message"]
    if message.get("tool_calls") and not message.get("content"):
        return None
    message["content"] = f"{notice}\n\n{message.get('content') or ''}"
    return completion
