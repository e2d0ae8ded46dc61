"""POST /v1/responses: OpenAI's newer API, translated to Chat Completions and back.

The exchange behind it is that of Chat Completions, with all it does for the person: notice, rescue, last words.
"""

import orjson
from starlette.types import Message, Receive, Scope, Send

from gateway.dialects.interface import Json
from gateway.dialects.openai_error import OpenAIError
from gateway.dialects.responses.reply import ResponseEvents, whole
from gateway.dialects.responses.request import read_responses_request, to_chat
from gateway.relay.client import read_body
from gateway.relay.exchange import Endpoint

PATH = "/v1/responses"


class Responses:
    """The ASGI endpoint, in front of the one for Chat Completions."""

    def __init__(self, chat: Endpoint) -> None:
        self._chat = chat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; it is counted as one of Chat Completions."""
        raw = await read_body(receive)
        if raw is None:
            self._chat.count("none", "client_gone")
            return
        content_type = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        try:
            request = read_responses_request(raw, content_type.decode("latin-1"))
            body = orjson.dumps(to_chat(request))
        except OpenAIError as error:
            self._chat.count("none", "client_error")
            await _Answer({}, send).refuse(error)
            return
        await self._chat(scope, _then(body, receive), _Answer(request, send).send)


class _Answer:
    """Stands where the exchange sends its answer, and sends it on as a Responses one."""

    def __init__(self, request: Json, send: Send) -> None:
        self._request = request
        self._send = send
        self._events: ResponseEvents | None = None
        self._start: Message = {}
        self._rest = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = next((value for name, value in message["headers"] if name.lower() == b"content-type"), b"")
            self._start = message
            if kind.startswith(b"text/event-stream"):
                self._events = ResponseEvents(self._request)
                await self._send(message)
            elif message["status"] != 200:
                await self._send(message)
        elif self._events is not None:
            *events, self._rest = (self._rest + message.get("body", b"")).split(b"\n\n")
            told = b"".join(self._events.feed(event) for event in events)
            await self._send({**message, "body": told})
        elif self._start["status"] != 200:
            await self._send(message)
        else:
            body = orjson.dumps(whole(self._request, orjson.loads(message["body"])))
            headers = [header for header in self._start["headers"] if header[0].lower() != b"content-length"]
            headers.append((b"content-length", b"%d" % len(body)))
            await self._send({**self._start, "headers": headers})
            await self._send({**message, "body": body})

    async def refuse(self, error: OpenAIError) -> None:
        body = error.body_bytes()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _then(body: bytes, receive: Receive) -> Receive:
    """The body, and from then on what the client does."""
    given = False

    async def receive_body_first() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body_first
