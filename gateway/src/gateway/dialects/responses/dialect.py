"""POST /v1/responses: OpenAI's newer API. The backends do not speak it: it is Chat Completions on its way to them."""

import orjson

from gateway.dialects import sse
from gateway.dialects.chat_completions.dialect import ChatCompletions
from gateway.dialects.chat_completions.request import read_chat_object
from gateway.dialects.interface import Json, Reply, Request
from gateway.dialects.responses.reply import ResponseEvents, whole
from gateway.dialects.responses.request import read_responses_request, to_chat

PATH = "/v1/responses"


class Responses(ChatCompletions):
    """Responses, answered by the exchange of Chat Completions with all it does for the person."""

    name = "responses"
    path = PATH

    def read(self, raw: bytes, content_type: str) -> Request:
        """Parse, check and translate a body. Raises OpenAIError."""
        original = read_responses_request(raw, content_type)
        return read_chat_object(to_chat(original), original=original)

    def reply(self, request: Request) -> Reply:
        """The completion, or its chunks, as a response."""
        return _ResponsesReply(request.original)


class _ResponsesReply(Reply):
    def __init__(self, request: Json) -> None:
        self._request = request
        self._events = ResponseEvents(request)

    def whole(self, body: bytes) -> bytes:
        return orjson.dumps(whole(self._request, orjson.loads(body)))

    def events(self, events: bytes) -> bytes:
        return b"".join(self._events.feed(event) for event in sse.split(events))
