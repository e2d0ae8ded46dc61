"""`POST /v1/chat/completions`: one request, from the client's words to Claude's and back.

Plain ASGI and one task per request beside the watcher for the client's leaving: this is the path where CPU counts.
Claude is always asked for a stream, also for a whole reply, so that the same clocks watch over both.
"""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import Message, Receive, Scope, Send

from claude_adapter import taxonomy
from claude_adapter.breaker import Admission, Breaker
from claude_adapter.claude import Claude, MessageStream
from claude_adapter.clock import ProgressClock
from claude_adapter.errors import BadRequestError, UpstreamError, error_body, error_event
from claude_adapter.metrics import Metrics
from claude_adapter.reasons import RecentReasons
from claude_adapter.request_translation import to_messages, wants_stream, wants_usage_chunk
from claude_adapter.response_translation import WholeReply
from claude_adapter.settings import Settings
from claude_adapter.stream_translation import ChunkedReply
from claude_adapter.taxonomy import Fallback, Verdict

_log = logging.getLogger(__name__)

_LARGEST_BODY_BYTES = 32 * 1024 * 1024  # Claude's own limit
_STALL_FACTOR_WHILE_THINKING = 10
_JSON_HEADERS = [(b"content-type", b"application/json")]
_SSE_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_ENDED_EARLY = Fallback("protocol", "Claude's stream ended before the reply was complete.")
_SURPRISE = Fallback("protocol", "The adapter met something unexpected: see its log.")
_NOT_IN_A_HEADER = re.compile(r"[^\x21-\x7e]")


class ClientGoneError(Exception):
    """The client has left: nobody is there to answer."""


@dataclass(frozen=True, slots=True)
class ChatCompletions:
    """The ASGI endpoint."""

    settings: Settings
    claude: Claude
    breaker: Breaker
    reasons: RecentReasons
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Whatever happens ends as an answer, a 4xx or a 503; never as a 500."""
        exchange = _Exchange(self, receive, send)
        try:
            outcome = await exchange.serve()
        except ClientGoneError:
            outcome = "client_gone"
        except BadRequestError as error:
            await exchange.refuse(error.status, error.message, error.param)
            outcome = "client_error"
        except UpstreamError as error:
            outcome = await exchange.fail(error.verdict, _request_id(scope))
        except Exception as error:  # noqa: BLE001  # the last resort: the backup answers what we stumble over
            _log.error("unexpected %s at %s", type(error).__name__, _place_of(error))
            outcome = await exchange.fail(_SURPRISE, _request_id(scope))
        finally:
            await exchange.close()
        self.metrics.requests.labels(outcome).inc()


class _Exchange:
    """The state of one request."""

    __slots__ = ("_client_gone", "_complete", "_endpoint", "_head_sent", "_receive", "_reply", "_send", "_stream")

    def __init__(self, endpoint: ChatCompletions, receive: Receive, send: Send) -> None:
        self._endpoint = endpoint
        self._receive = receive
        self._send = send
        self._stream: MessageStream | None = None
        self._reply: ChunkedReply | WholeReply | None = None
        self._head_sent = False
        self._complete = False  # the last byte has been handed to the server
        self._client_gone = False

    async def serve(self) -> str:
        """Translate, send, relay; gives the outcome. Raises what kept the answer away."""
        breaker, settings = self._endpoint.breaker, self._endpoint.settings
        body = await self._body()
        if (
            refusal := breaker.refusal()
        ) is not None:  # before the body is even looked at: an outage should cost nothing
            raise UpstreamError(refusal)
        request = _parse(body)
        streaming, usage_chunk = wants_stream(request), wants_usage_chunk(request)
        messages_request = to_messages(request, settings.claude_model, settings.claude_max_tokens)
        admission = breaker.admit(messages_request["model"])
        if isinstance(admission, Fallback):
            raise UpstreamError(admission)
        with admission:
            try:
                async with self._watching_client():
                    await self._ask(messages_request, admission, streaming=streaming, usage_chunk=usage_chunk)
            except UpstreamError as error:
                if isinstance(error.verdict, Fallback):
                    _log.warning("Claude failed: %s: %s", error.verdict.reason, error.verdict.detail)
                    admission.failure(error.verdict)
                else:
                    admission.success()
                raise
        return "ok"

    async def refuse(self, status: int, message: str, param: str | None = None) -> None:
        """Tell the client what it did wrong."""
        await self._respond(status, _JSON_HEADERS, error_body(message, "invalid_request_error", param=param))

    async def fail(self, verdict: Verdict, request_id: str) -> str:
        """Tell the client, or nginx, what went wrong; gives the outcome."""
        if isinstance(verdict, taxonomy.ClientError):
            if self._head_sent:
                await self._body_part(error_event(verdict.message, "invalid_request_error"), last=True)
            else:
                await self.refuse(verdict.status, verdict.message)
            return "client_error"
        reason = verdict.reason
        self._endpoint.reasons.record(request_id, reason)
        if self._head_sent:
            await self._body_part(error_event(verdict.detail, reason), last=True)
        else:
            headers = [*_JSON_HEADERS, (b"x-fallback-reason", reason.encode())]
            await self._respond(503, headers, error_body(verdict.detail, "service_unavailable", code=reason))
        return reason

    async def close(self) -> None:
        """Let go of the connection to Claude: for reuse after a complete reply, else cut."""
        if self._reply is not None:
            self._endpoint.metrics.input_tokens.inc(self._reply.input_tokens)
            self._endpoint.metrics.output_tokens.inc(self._reply.output_tokens)
        if self._stream is not None:
            if self._reply is not None and self._reply.ended and self._complete:
                await self._stream.drain()
            await self._stream.close()

    async def _ask(
        self, messages_request: dict[str, Any], admission: Admission, *, streaming: bool, usage_chunk: bool
    ) -> None:
        settings = self._endpoint.settings
        thinking = (messages_request.get("thinking") or {}).get("type") not in (None, "disabled")
        stall_seconds = settings.claude_stall_seconds * (_STALL_FACTOR_WHILE_THINKING if thinking else 1)
        clock = ProgressClock(settings.claude_first_token_seconds, stall_seconds)
        try:
            async with clock:
                self._stream = await self._endpoint.claude.send(orjson.dumps(messages_request))
                reply_id = f"chatcmpl-{self._stream.request_id or uuid.uuid4().hex}"
                created, model = int(time.time()), messages_request["model"]
                if streaming:
                    self._reply = chunked = ChunkedReply(reply_id, created, model, include_usage=usage_chunk)
                    await self._relay(self._stream, chunked, clock, admission)
                else:
                    self._reply = whole = WholeReply(reply_id, created, model)
                    await self._relay(self._stream, whole, clock, admission)
                    clock.hold()
                    await self._respond(200, self._served_by_claude(_JSON_HEADERS), whole.body())
        except TimeoutError:
            if not clock.expired:
                raise
            raise UpstreamError(
                Fallback("stall", f"Claude fell silent for {stall_seconds:g} s in the middle of its reply.")
                if clock.started
                else Fallback("first_token", f"Claude said nothing for {settings.claude_first_token_seconds:g} s.")
            ) from None

    async def _relay(
        self, stream: MessageStream, reply: ChunkedReply | WholeReply, clock: ProgressClock, admission: Admission
    ) -> None:
        """Feed Claude's events to `reply`, and send on what comes of it, from the first content on, read by read."""
        held = b""
        while not reply.ended:
            failure: UpstreamError | None = None
            try:
                events = await stream.read()
            except UpstreamError as error:
                events, failure = None, error
            if events is None:
                if reply.stop_reason is None:
                    raise failure or UpstreamError(_ENDED_EARLY)
                failure = None  # all that matters has come; only the goodbye is missing
                held += reply.finish()
            for event in events or ():
                if event.get("type") == "error":
                    failure = UpstreamError(taxonomy.classify_event(event))
                    break
                held += reply.feed(event)
                if event.get("type") != "ping" and (reply.has_content or _thinking_begins(event)):
                    if not clock.started:
                        admission.success()
                    clock.progress()
            if held and reply.has_content and isinstance(reply, ChunkedReply) and (self._head_sent or failure is None):
                clock.hold()
                await self._start_stream()
                await self._body_part(held, last=reply.ended)
                clock.progress()
                held = b""
            if failure is not None:
                raise failure

    async def _start_stream(self) -> None:
        if not self._head_sent:
            self._head_sent = True
            headers = self._served_by_claude(_SSE_HEADERS)
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _respond(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        self._head_sent = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._body_part(body, last=True)

    async def _body_part(self, body: bytes, *, last: bool) -> None:
        self._complete = last
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    def _served_by_claude(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        model = self._reply.model if self._reply is not None else ""
        served = [*headers, (b"x-served-by", b"claude"), (b"x-model", _header_value(model))]
        if self._stream is not None and self._stream.request_id:
            served.append((b"request-id", _header_value(self._stream.request_id)))
        return served

    @asynccontextmanager
    async def _watching_client(self) -> AsyncIterator[None]:
        """Turn the client's leaving into `ClientGoneError`, wherever the block happens to wait."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # for mypy: a coroutine runs in a task
        watcher = asyncio.create_task(self._cancel_when_gone(task))
        try:
            yield
        except asyncio.CancelledError:
            if self._client_gone:
                task.uncancel()
                raise ClientGoneError from None
            raise
        finally:
            watcher.cancel()

    async def _cancel_when_gone(self, task: asyncio.Task[Any]) -> None:
        message: Message = await self._receive()
        # The server also says "disconnect" when the response is complete.
        if message["type"] == "http.disconnect" and not self._complete:
            self._client_gone = True
            task.cancel()

    async def _body(self) -> bytes:
        parts: list[bytes] = []
        size_bytes = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            part = message.get("body", b"")
            size_bytes += len(part)
            if size_bytes > _LARGEST_BODY_BYTES:
                raise BadRequestError("The request is larger than 32 MB, more than Claude accepts.", status=413)
            parts.append(part)
            if not message.get("more_body"):
                return b"".join(parts)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"The body is not valid JSON: {error}.") from None
    if not isinstance(request, dict):
        raise BadRequestError("The body must be a JSON object.")
    return request


def _thinking_begins(event: dict[str, Any]) -> bool:
    """Claude may now be silent for minutes, which is what the longer stall clock is for."""
    return event.get("type") == "content_block_start" and (event.get("content_block") or {}).get("type") == "thinking"


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return str(value, "latin-1")
    return ""


def _header_value(text: str) -> bytes:
    return _NOT_IN_A_HEADER.sub("_", text).encode()


def _place_of(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "an unknown place"
