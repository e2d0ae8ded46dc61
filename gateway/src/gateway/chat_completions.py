"""POST /v1/chat/completions: hands the request to the brains and tells the person who answered.

A bare ASGI endpoint, because every layer costs CPU for each token that passes.
"""

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any, Self

import aiohttp
import orjson
from starlette.types import Receive, Scope, Send

from gateway.brains import Brains, UnreachableError
from gateway.chat_request import ChatRequest, Json, read_chat_request
from gateway.metrics import Metrics
from gateway.notice import Conversations, notice_event, put_in_front, strip_notices
from gateway.openai_error import OpenAIError
from gateway.rescue import (
    DONE_EVENT,
    ERROR_EVENT,
    Partial,
    continuation,
    join,
    read_partial,
    reason_of,
    rescue_event,
)
from gateway.status import AdapterHungError, Status

_log = logging.getLogger(__name__)

PATH = "/v1/chat/completions"
DIALECT = "openai"
RETRY_AFTER_SECONDS = 5

# Hop-by-hop, or made anew for the client's connection (RFC 9110, section 7.6.1).
_NOT_PASSED_ON = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"server", b"date"))
_INTERNAL_ERROR = OpenAIError(
    500, "Pilot Light made a mistake. Its log says where.", "internal_error", type="server_error"
)
_BROKEN = OpenAIError(
    502, "The answer broke off: its connection was lost. Ask again.", "broken_stream", type="server_error"
)


class ChatCompletions:
    """The endpoint."""

    def __init__(
        self, brains: Brains, status: Status, conversations: Conversations, metrics: Metrics, notices: tuple[str, ...]
    ) -> None:
        self.brains = brains
        self.status = status
        self.conversations = conversations
        self.metrics = metrics
        self.notice = notices[0]
        self.notices = notices  # the one to say first, then others that may stand in histories

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and count it when its last byte has gone."""
        await _Exchange(self, dict(scope["headers"]), send).run(receive)


class _Exchange:
    """One request and its answer."""

    def __init__(self, room: ChatCompletions, headers: dict[bytes, bytes], send: Send) -> None:
        self._room = room
        self._headers = headers
        self._send = send
        self._arrived = time.perf_counter()
        self._request_id = headers.get(b"x-request-id", b"").decode("latin-1")
        self._backend = "none"
        self._outcome = "ok"
        self._head_sent = False

    async def run(self, receive: Receive) -> None:
        raw = await _read_body(receive)
        if raw is None:
            self._outcome = "client_gone"
        else:
            async with _ClientWatch(receive) as client:
                try:
                    await self._answer(raw)
                except OpenAIError as error:
                    await self._refuse(error)
                except Exception as error:  # noqa: BLE001  # a client gets an answer, never a traceback
                    # The place says enough for us; the message could hold what somebody wrote.
                    _log.error("unexpected %s at %s", type(error).__name__, _place_of(error))
                    await self._refuse(_INTERNAL_ERROR)
            if client.gone:
                self._outcome = "client_gone"
        self._room.metrics.requests.labels(DIALECT, self._backend, self._outcome).inc()

    async def _answer(self, raw: bytes) -> None:
        request = read_chat_request(raw, self._headers.get(b"content-type", b"").decode("latin-1"))
        messages = strip_notices(request.body["messages"], self._room.notices)
        if messages is not None:
            request = replace(request, body={**request.body, "messages": messages})
            raw = orjson.dumps(request.body)

        by_name = request.model in ("local", self._room.status.local.model)
        if not by_name and not self._room.status.adapter_hung:
            try:
                with self._room.status.abandoning_hung_adapter():
                    response = await self._ask(PATH, raw)
                return await self._relay(request, response, by_name=False)
            except AdapterHungError:  # nothing has been sent yet: the next line asks again, around the adapter
                pass
        return await self._relay(request, await self._ask(f"/local{PATH}", raw), by_name=by_name)

    async def _ask(self, path: str, raw: bytes) -> aiohttp.ClientResponse:
        try:
            return await self._room.brains.ask(path, raw, self._request_id)
        except UnreachableError:
            raise self._last_words() from None

    async def _relay(self, request: ChatRequest, response: aiohttp.ClientResponse, *, by_name: bool) -> None:
        async with response:
            self._backend = response.headers.get("X-Served-By", "none")
            if response.status >= 500:
                raise self._last_words(await _retry_and_reason(response))
            if response.status >= 400:
                self._outcome = "client_error"
            headers = [header for header in response.raw_headers if header[0].lower() not in _NOT_PASSED_ON]
            if self._backend != self._room.status.active and not by_name:
                self._room.status.surprise()
            stream = response.content_type == "text/event-stream"

            if self._backend == "claude":
                self._room.conversations.answered_by_claude(request.body["messages"])
                if stream:
                    return await self._relay_claude_stream(request, response, headers)
                with self._room.status.abandoning_hung_adapter():
                    body = await self._read(response)
                return await self._send_whole(response.status, headers, body)

            notice = False
            if not by_name:
                reason = await self._room.status.reason_for(self._request_id)
                self._room.metrics.fallbacks.labels(reason).inc()
                headers.append((b"x-fallback-reason", reason.encode()))
                notice = response.status == 200 and self._wants_notice(request)
            if stream:
                return await self._relay_local_stream(response, headers, notice=notice)
            body = await self._read(response)
            if notice and (completion := put_in_front(orjson.loads(body), self._room.notice)):
                body = orjson.dumps(completion)
                self._room.metrics.notices.inc()
            return await self._send_whole(response.status, headers, body)

    def _wants_notice(self, request: ChatRequest, *, unless_told: bool = True) -> bool:
        if request.json_mode or request.tool_forced:
            return False
        if self._headers.get(b"x-pilot-notice", b"").strip().lower() == b"off":
            return False
        told_now = self._room.conversations.tell(request.body["messages"])
        return told_now or (not unless_told and self._room.conversations.policy != "never")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        try:
            return await response.read()
        except aiohttp.ClientError:
            raise self._last_words() from None

    async def _send_whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        await self._start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self._send({"type": "http.response.body", "body": body})

    async def _relay_local_stream(
        self, response: aiohttp.ClientResponse, headers: list[tuple[bytes, bytes]], *, notice: bool
    ) -> None:
        await self._start(response.status, headers)
        events = response.content
        try:
            # The first event only names the role; it comes before prefill, and the notice goes right behind it.
            first_event = await events.readuntil(b"\n\n")
            if notice:
                first_event += notice_event(first_event, self._room.notice)
                self._room.metrics.notices.inc()
            await self._send_piece(first_event)
            first_token = False
            while piece := await events.readany():
                if not first_token and not piece.startswith(b":"):
                    first_token = True
                    self._observe(self._room.metrics.first_token)
                await self._send_piece(piece)
        except (aiohttp.ClientError, ConnectionError):
            await self._break_off()
        else:
            await self._end()

    async def _relay_claude_stream(
        self, request: ChatRequest, response: aiohttp.ClientResponse, headers: list[tuple[bytes, bytes]]
    ) -> None:
        await self._start(response.status, headers)
        self._observe(self._room.metrics.first_token)  # its head is held back until the first words
        said = bytearray()
        broke = await self._pass_on(response.content, said)
        if broke is None:
            await self._end()
        else:
            response.close()
            await self._rescue(request, read_partial(bytes(said)), broke)

    async def _pass_on(self, events: aiohttp.StreamReader, said: bytearray) -> str | None:
        """Pass on Claude's whole events as they come and note them in `said`; the reason when the stream broke."""
        rest = b""
        try:
            with self._room.status.abandoning_hung_adapter():
                while piece := await events.readany():
                    whole, separator, rest = (rest + piece).rpartition(b"\n\n")
                    whole += separator
                    before, error, after = whole.partition(ERROR_EVENT)
                    if error and (not before or before.endswith(b"\n\n")):
                        said += before
                        await self._send_piece(before)
                        return reason_of(error + after)
                    said += whole
                    await self._send_piece(whole)
        except (aiohttp.ClientError, ConnectionError, AdapterHungError):
            return "adapter_down"
        return None if DONE_EVENT in said[-64:] else "adapter_down"

    async def _rescue(self, request: ChatRequest, partial: Partial, reason: str) -> None:
        """Let the local model finish what Claude began, unless half of it could not be joined to another's half."""
        self._room.status.surprise()
        if partial.finished:
            await self._send_piece(DONE_EVENT + b"\n\n")
            await self._end()
        elif partial.tool_call or request.json_mode:
            await self._break_off()
        else:
            try:
                await self._go_on(request, partial, reason)
            except (OpenAIError, aiohttp.ClientError, ConnectionError):
                await self._break_off()
            else:
                await self._end()

    async def _go_on(self, request: ChatRequest, partial: Partial, reason: str) -> None:
        body = continuation(request.body, partial)
        async with await self._ask(f"/local{PATH}", body) as response:
            if response.status != 200:
                raise self._last_words(await _retry_and_reason(response))
            self._outcome = "rescued"
            self._room.metrics.rescues.labels(reason).inc()
            if self._wants_notice(request, unless_told=False):
                await self._send_piece(rescue_event(partial, response.headers["X-Model"]))
            while event := await response.content.readuntil(b"\n\n"):
                await self._send_piece(join(event.removesuffix(b"\n\n"), partial))

    async def _break_off(self) -> None:
        """End a stream that cannot be finished: an error in its own form, so that nobody takes the half for a whole."""
        self._outcome = "broken"
        await self._send_piece(b"data: " + _BROKEN.body_bytes() + b"\n\n")
        await self._end()

    async def _end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def _refuse(self, error: OpenAIError) -> None:
        self._outcome = "nobody" if error.status >= 500 else "client_error"
        body = error.body_bytes()
        if self._head_sent:
            await self._send({"type": "http.response.body", "body": b"data: " + body + b"\n\n"})
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        await self._start(error.status, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._head_sent = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        self._observe(self._room.metrics.first_byte)

    async def _send_piece(self, piece: bytes) -> None:
        if not piece:
            return
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    def _observe(self, histogram: Any) -> None:
        histogram.labels(self._backend).observe(time.perf_counter() - self._arrived)

    def _last_words(self, local_says: tuple[int, str | None] = (RETRY_AFTER_SECONDS, None)) -> OpenAIError:
        """Nobody can answer: what is wrong with each brain, and when to try again."""
        retry_after_seconds, reason = local_says
        local = reason or ("It failed." if self._room.status.local.ready else "It is not running yet.")
        return OpenAIError(
            503,
            f"Nobody can answer right now. Claude: {self._room.status.claude.detail} The local model: {local} "
            f"Try again in {retry_after_seconds} seconds.",
            "no_brain",
            type="service_unavailable",
            headers={"Retry-After": str(retry_after_seconds)},
        )


class _ClientWatch:
    """Cancels the body of this context when the client disconnects: its work must stop on every brain."""

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._watcher.cancel()
        if not (self.gone and kind is asyncio.CancelledError and self._task):
            return False
        self._task.uncancel()
        return True

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._task:
            self._task.cancel()


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body (nginx has bounded it), or None when the client left while sending it."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _retry_and_reason(response: aiohttp.ClientResponse) -> tuple[int, str | None]:
    """What local-llm says when it cannot answer either; nginx's own error page has no X-Served-By and no reason."""
    retry_after = response.headers.get("Retry-After", "")
    seconds = int(retry_after) if retry_after.isdigit() else RETRY_AFTER_SECONDS
    if "X-Served-By" not in response.headers:
        return seconds, None
    try:
        body: Json = orjson.loads(await response.read())
        return seconds, str(body["error"]["message"])
    except (aiohttp.ClientError, ValueError, KeyError, TypeError):
        return seconds, None


def _place_of(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "an unknown place"
