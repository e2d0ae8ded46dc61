"""One request and its answer: hands it to the brains and tells the person who answered, in any dialect.

A bare ASGI endpoint, because every layer costs CPU for each token that passes.
"""

import logging
import time
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
from starlette.types import Receive, Scope, Send

from gateway.dialects.errors import ApiError
from gateway.dialects.interface import Broken, Dialect, Json, Request
from gateway.metrics import BACKENDS, Metrics
from gateway.relay.client import ClientWatch, read_body
from gateway.relay.notice import Conversations, strip_notices
from gateway.relay.rescue import RESCUE_LINE
from gateway.relay.upstream import Brains, UnreachableError
from gateway.status.contracts import read_header, read_retry_after
from gateway.status.liveness import HungError
from gateway.status.status import Status

_log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5

# Hop-by-hop, or made anew for the client's connection (RFC 9110, section 7.6.1).
_NOT_PASSED_ON = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"server", b"date"))


class Endpoint:
    """The ASGI endpoint of one dialect."""

    def __init__(
        self,
        dialect: Dialect,
        brains: Brains,
        status: Status,
        conversations: Conversations,
        metrics: Metrics,
        notices: tuple[str, ...],
    ) -> None:
        self.dialect = dialect
        self.brains = brains
        self.status = status
        self.conversations = conversations
        self.metrics = metrics
        self.notice = notices[0]
        self.notices = notices  # the one to say first, then others that may stand in histories

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and count it when its last byte has gone."""
        await _Exchange(self, scope, send).run(receive)

    def count(self, backend: str, outcome: str) -> None:
        """One request has ended."""
        self.metrics.requests.labels(self.dialect.name, backend, outcome).inc()


class _LostError(Exception):
    """A whole answer was lost on its way. Nothing of it has been sent, so it may be asked for again."""


class _Exchange:
    """One request and its answer."""

    def __init__(self, room: Endpoint, scope: Scope, send: Send) -> None:
        self._room = room
        self._dialect = room.dialect
        self._header_lines: list[tuple[bytes, bytes]] = scope["headers"]
        self._headers: dict[bytes, bytes] = dict(self._header_lines)  # those of ours, which stand once
        self._query: str = scope["query_string"].decode("latin-1")
        self._send = send
        self._arrived = time.perf_counter()
        self._request_id = self._headers.get(b"x-request-id", b"").decode("latin-1")
        self._backend = "none"
        self._outcome = "ok"
        self._head_sent = False

    async def run(self, receive: Receive) -> None:
        raw = await read_body(receive)
        if raw is None:
            self._outcome = "client_gone"
        else:
            async with ClientWatch(receive) as client:
                try:
                    await self._answer(raw)
                except ApiError as error:
                    await self._refuse(error)
                except Exception as error:  # noqa: BLE001  # a client gets an answer, never a traceback
                    # The place says enough for us; the message could hold what somebody wrote.
                    _log.error("unexpected %s at %s", type(error).__name__, _place_of(error))
                    message = "Pilot Light made a mistake. Its log says where."
                    await self._refuse(self._dialect.failure(500, message, "internal_error", {}))
            if client.gone:
                self._outcome = "client_gone"
        self._room.count(self._backend, self._outcome)

    async def _answer(self, raw: bytes) -> None:
        request = self._dialect.read(raw, self._headers.get(b"content-type", b"").decode("latin-1"))
        messages = strip_notices(request.body["messages"], self._room.notices)
        if messages is not None:
            request = replace(request, body={**request.body, "messages": messages})
            raw = orjson.dumps(request.body)

        path = self._dialect.path
        by_name = request.model in ("local", self._room.status.local.model)
        status = self._room.status
        if not by_name and not status.adapter_hang.hung:
            try:
                with status.adapter_hang.abandoning():
                    try:
                        with status.local_hang.abandoning(lambda: status.claude.state in ("open", "down")):
                            response = await self._ask(path, raw)
                    except HungError:
                        raise self._last_words() from None
                return await self._relay(request, response, by_name=False)
            except (HungError, _LostError):  # nothing has been sent yet: the next lines ask again, around the adapter
                pass
        try:
            await self._relay(request, await self._ask_local(raw), by_name=by_name)
        except _LostError:  # with an nginx worker, or with the model's process, and then nginx says so now
            try:
                await self._relay(request, await self._ask_local(raw), by_name=by_name)
            except _LostError:
                raise self._last_words() from None

    async def _ask_local(self, raw: bytes) -> aiohttp.ClientResponse:
        try:
            with self._room.status.local_hang.abandoning():
                return await self._ask(f"/local{self._dialect.path}", raw)
        except HungError:
            raise self._last_words() from None

    async def _ask(self, path: str, raw: bytes) -> aiohttp.ClientResponse:
        headers = self._dialect.passed_forward(self._header_lines)
        if self._query:
            path = f"{path}?{self._query}"
        try:
            return await self._room.brains.ask(path, raw, self._request_id, headers)
        except UnreachableError:
            raise self._last_words() from None

    async def _relay(self, request: Request, response: aiohttp.ClientResponse, *, by_name: bool) -> None:
        async with response:
            self._backend = _served_by(response)
            if response.status >= 500:
                raise self._last_words(await _retry_and_reason(response))
            if response.status >= 400:
                self._outcome = "client_error"
            headers = [header for header in response.raw_headers if header[0].lower() not in _NOT_PASSED_ON]
            if self._backend != self._room.status.active and not by_name:
                self._room.status.surprise()
            stream = response.content_type == "text/event-stream"

            if self._backend == "claude":
                if self._dialect.counts_as_answer and response.status < 400:
                    self._room.conversations.answered_by_claude(request.body)
                if stream:
                    return await self._relay_claude_stream(request, response, headers)
                with self._room.status.adapter_hang.abandoning():
                    body = await _read(response)
                return await self._send_whole(response.status, headers, body)

            notice = False
            if self._backend == "local" and not by_name:
                reason = await self._room.status.reason_for(self._request_id)
                self._room.metrics.fallbacks.labels(reason).inc()
                headers.append((b"x-fallback-reason", reason.encode()))
                notice = response.status == 200 and self._wants_notice(request)
            if stream:
                return await self._relay_local_stream(response, headers, notice=notice)
            try:
                with self._room.status.local_hang.abandoning():
                    body = await _read(response)
            except HungError:
                raise self._last_words() from None
            if notice and (noticed := self._with_notice(body)):
                body = noticed
                self._room.metrics.notices.inc()
            return await self._send_whole(response.status, headers, body)

    def _wants_notice(self, request: Request, *, unless_told: bool = True) -> bool:
        if not request.spoken:
            return False
        if self._headers.get(b"x-pilot-notice", b"").strip().lower() == b"off":
            return False
        told_now = self._room.conversations.tell(request.body)
        return told_now or (not unless_told and self._room.conversations.policy != "never")

    def _with_notice(self, body: bytes) -> bytes | None:
        """The unary answer with the notice in front; None when it has no words, or no shape that we know."""
        try:
            answer = self._dialect.put_in_front(orjson.loads(body), self._room.notice)
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
        return orjson.dumps(answer) if answer else None

    async def _send_whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        await self._start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self._send({"type": "http.response.body", "body": body})

    async def _relay_local_stream(
        self, response: aiohttp.ClientResponse, headers: list[tuple[bytes, bytes]], *, notice: bool
    ) -> None:
        await self._start(response.status, headers)
        events = response.content
        noticed = self._dialect.noticed(self._room.notice) if notice else None
        try:
            # The first event only opens the answer; it comes before prefill, and the notice goes right behind it.
            with self._room.status.local_hang.abandoning():
                first_event = await events.readuntil(b"\n\n")
            if noticed is not None:
                first_event = noticed.begin(first_event)
                self._room.metrics.notices.inc()
            await self._send_piece(first_event)
            first_token = False
            with self._room.status.local_hang.abandoning():
                while piece := await events.readany():
                    if not first_token and self._dialect.has_words(piece):
                        first_token = True
                        self._observe(self._room.metrics.first_token)
                    if noticed is not None and not noticed.settled:
                        piece = noticed.feed(piece)
                    await self._send_piece(piece)
        except (aiohttp.ClientError, ConnectionError, HungError):
            await self._break_off()
        else:
            await self._end()

    async def _relay_claude_stream(
        self, request: Request, response: aiohttp.ClientResponse, headers: list[tuple[bytes, bytes]]
    ) -> None:
        await self._start(response.status, headers)
        self._observe(self._room.metrics.first_token)  # its head is held back until the first words
        said = bytearray()
        error_event = await self._pass_on(response.content, said)
        if error_event is None:
            await self._end()
        else:
            response.close()
            await self._rescue(request, self._dialect.broken(bytes(said)), error_event)

    async def _pass_on(self, events: aiohttp.StreamReader, said: bytearray) -> bytes | None:
        """Pass on Claude's whole events as they come and note them in `said`.

        None at a good end; when the stream broke, its error event, which is empty when it broke without one.
        """
        rest = b""
        error_mark = self._dialect.error_mark
        try:
            with self._room.status.adapter_hang.abandoning():
                while piece := await events.readany():
                    whole, separator, rest = (rest + piece).rpartition(b"\n\n")
                    whole += separator
                    before, error, after = whole.partition(error_mark)
                    if error and (not before or before.endswith(b"\n\n")):
                        said += before
                        await self._send_piece(before)
                        return error + after
                    said += whole
                    await self._send_piece(whole)
        except (aiohttp.ClientError, ConnectionError, HungError):
            return b""
        return None if self._dialect.is_whole(said) else b""

    async def _rescue(self, request: Request, broken: Broken, error_event: bytes) -> None:
        """Let the local model finish what Claude began, unless half of it could not be joined to another's half."""
        self._room.status.surprise()
        if broken.finished:
            await self._send_piece(broken.goodbye())
            await self._end()
        elif not broken.joinable or request.json_mode:
            await self._break_off(error_event)
        else:
            reason = self._dialect.reason_of(error_event) if error_event else "adapter_down"
            try:
                await self._go_on(request, broken, reason)
            except (ApiError, aiohttp.ClientError, ConnectionError, HungError):
                await self._break_off()
            else:
                await self._end()

    async def _go_on(self, request: Request, broken: Broken, reason: str) -> None:
        body = broken.continuation(request.body)
        async with await self._ask_local(body) as response:
            if response.status != 200:
                raise self._last_words(await _retry_and_reason(response))
            self._outcome = "rescued"
            self._room.metrics.rescues.labels(reason).inc()
            if self._wants_notice(request, unless_told=False):
                model = read_header(response.headers.get("X-Model")) or self._room.status.local.model or "local"
                await self._send_piece(broken.line(model, RESCUE_LINE))
            with self._room.status.local_hang.abandoning():
                while event := await response.content.readuntil(b"\n\n"):
                    if event.startswith(self._dialect.error_mark):
                        self._outcome = "broken"
                    await self._send_piece(broken.join(event.removesuffix(b"\n\n")))

    async def _break_off(self, error_event: bytes = b"") -> None:
        """End a stream that cannot be finished: an error in its own form, so that nobody takes the half for a whole."""
        self._outcome = "broken"
        message = "The answer broke off: its connection was lost. Ask again."
        ours = self._dialect.failure(502, message, "broken_stream", {})
        theirs = self._dialect.broken_error(error_event)
        await self._send_piece(theirs or self._dialect.error_event(ours.body_bytes(self._request_id)))
        await self._end()

    async def _end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    async def _refuse(self, error: ApiError) -> None:
        self._outcome = "nobody" if error.status >= 500 else "client_error"
        body = error.body_bytes(self._request_id)
        if self._head_sent:
            await self._send({"type": "http.response.body", "body": self._dialect.error_event(body)})
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        await self._start(error.status, headers + self._dialect.error_headers(self._request_id))
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

    def _last_words(self, local_says: tuple[int, str | None] = (RETRY_AFTER_SECONDS, None)) -> ApiError:
        """Nobody can answer: what is wrong with each brain, and when to try again."""
        retry_after_seconds, reason = local_says
        local = reason or ("It failed." if self._room.status.local.ready else "It is not running, or hangs.")
        return self._dialect.failure(
            503,
            f"Nobody can answer right now. Claude: {self._room.status.claude.detail} The local model: {local} "
            f"Try again in {retry_after_seconds} seconds.",
            "no_brain",
            {"Retry-After": str(retry_after_seconds)},
        )


def _served_by(response: aiohttp.ClientResponse) -> str:
    """`claude` or `local`; `none` for nginx itself, and for whatever else a label must not become."""
    backend = response.headers.get("X-Served-By", "none")
    return backend if backend in BACKENDS else "none"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.read()
    except (aiohttp.ClientError, ConnectionError):
        raise _LostError from None


async def _retry_and_reason(response: aiohttp.ClientResponse) -> tuple[int, str | None]:
    """What local-llm says when it cannot answer either; nginx's own error page has no X-Served-By and no reason."""
    seconds = read_retry_after(response.headers.get("Retry-After")) or RETRY_AFTER_SECONDS
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
