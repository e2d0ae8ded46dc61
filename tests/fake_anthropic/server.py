"""The API itself: routes, authentication, and the script's say over each request."""

from __future__ import annotations

import asyncio
import itertools
import time
import weakref
from collections.abc import Collection
from typing import Any

import orjson
from aiohttp import web
from multidict import CIMultiDict

from . import answer, events, models
from .errors import STATUS_BY_TYPE, ApiError, error_body, invalid
from .journal import Journal, Record
from .listener import Listener
from .playback import Cut, Playback, cut_connection, silence
from .script import DEFAULT, Script
from .validation import check_key, check_messages_request, check_version

MAX_BODY_BYTES = 32 * 1024 * 1024
GARBAGE = b"\x16\x03\x01\x00\xff not HTTP at all \x00\xfe\r\n\r\n"
_KINDS = {"/v1/messages": "messages", "/v1/messages/count_tokens": "count_tokens", "/v1/models": "models"}
_JSON = "application/json"


class FakeApi:
    """The API's state and its request handler. One script holds at a time; keys stay valid until changed or reset."""

    def __init__(self, host: str, port: int) -> None:
        self.journal = Journal()
        self.script: Script = DEFAULT
        self.times_left: int | None = None
        self._next_scripts: tuple[Script, ...] = ()
        self.valid_keys: Collection[str] | None = None
        self._numbers = itertools.count(1)
        self._limit_headers: CIMultiDict[str] = CIMultiDict()
        self._limit_headers_second = 0
        self._used_connections: weakref.WeakSet[Any] = weakref.WeakSet()
        loop = asyncio.get_running_loop()

        def make_request(
            message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
        ) -> web.BaseRequest:
            return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)

        # The low-level server: no router, no middleware, no access log. Cancelling handlers is how a client's
        # departure is noticed.
        self._server = web.Server(
            self._handle,
            request_factory=make_request,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=300.0,
        )
        self.listener = Listener(self._server, host, port, self._on_accept)

    def _on_accept(self) -> None:
        self.journal.connections_accepted += 1

    async def set_script(self, script: Script, *after: Script) -> None:
        """Make a script hold, and `after` it the next ones. Returns when the listener is in the state it asks for."""
        self._begin(script, *after)
        if script.refuse:
            await self.listener.refuse()
        elif script.black_hole:
            await self.listener.black_hole()
        else:
            await self.listener.open()

    def _begin(self, script: Script = DEFAULT, *after: Script) -> None:
        self.script, self.times_left, self._next_scripts = script, script.times, after

    def _script_for(self, kind: str) -> Script:
        script = self.script
        if script is DEFAULT or (script.paths != "all" and script.paths != kind):
            return DEFAULT
        if self.times_left is not None:
            self.times_left -= 1
            if self.times_left == 0:
                self._begin(*self._next_scripts)
        return script

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        journal = self.journal
        path = request.path
        kind = _KINDS.get(path) or ("models" if path.startswith("/v1/models/") else "other")
        request_id = f"req_011StandIn{next(self._numbers):015d}"
        record = Record(request_id, time.time(), request.method, request.path_qs, request.headers)
        journal.requests[path if path in _KINDS else "/v1/models/{id}" if kind == "models" else "other"] += 1
        journal.add(record)
        journal.requests_in_flight += 1
        try:
            body = await request.read()
            journal.keep_body(record, body)
            response = await self._answer(request, kind, body, record)
            record.outcome = "answered"
        except Cut:
            record.outcome = "cut"
            # The connection is on its way out; whatever is returned here reaches nobody.
            return await silence()
        except web.HTTPRequestEntityTooLarge:
            record.outcome = "answered"
            error = ApiError(413, "request_too_large", "Request exceeds the maximum size")
            response = self._error(error, record, DEFAULT)
            response.force_close()
        except asyncio.CancelledError:
            self._count_cancelled(record)
            raise
        except ConnectionError:
            self._count_cancelled(record)
            raise asyncio.CancelledError from None  # gone while we wrote
        finally:
            journal.requests_in_flight -= 1
        journal.statuses[response.status] += 1
        return response

    def _count_cancelled(self, record: Record) -> None:
        if record.outcome != "running":
            return
        if self.listener.state == "closed":
            record.outcome = "cut"
        else:
            record.outcome = "left"
            self.journal.requests_aborted_by_client += 1

    async def _answer(self, request: web.BaseRequest, kind: str, body: bytes, record: Record) -> web.StreamResponse:
        script = self._script_for(kind)
        reused = request.transport in self._used_connections
        self._used_connections.add(request.transport)
        if script is not DEFAULT:
            if script.cut_reused is not None and reused:
                await cut_connection(request, script.cut_reused)
            if script.accept_but_silent or script.black_hole:
                await silence()
            if script.delay_seconds:
                await asyncio.sleep(script.delay_seconds)
            if script.garbage:
                await self._send_garbage(request)
            if script.cut is not None and script.cut_after_events is None:
                await cut_connection(request, script.cut)
            if script.body is not None:
                return self._raw(script, record)
            if script.error is not None:
                return self._error(ApiError(*script.error), record, script)
        try:
            return await self._genuine(request, kind, body, record, script)
        except ApiError as error:
            return self._error(error, record, script)

    async def _genuine(
        self, request: web.BaseRequest, kind: str, body: bytes, record: Record, script: Script
    ) -> web.StreamResponse:
        headers = request.headers
        check_key(headers.get("x-api-key"), headers.get("authorization"), self.valid_keys)
        version = check_version(headers.get("anthropic-version"))
        if kind == "other":
            raise ApiError(404, "not_found_error", "Not Found")
        if request.method != ("GET" if kind == "models" else "POST"):
            raise ApiError(405, "invalid_request_error", "Method Not Allowed")
        if kind == "models":
            found = models.listing(request.query) if request.path == "/v1/models" else models.one(request.path[11:])
            return self._json(orjson.dumps(found), record, script)
        if not headers.get("content-type", "").lower().startswith(_JSON):
            raise invalid("Content-Type: expected application/json")
        conversation = check_messages_request(body, version, counting=kind == "count_tokens")
        if kind == "count_tokens":
            return self._json(orjson.dumps({"input_tokens": conversation.input_tokens}), record, script)
        reply = answer.compose(conversation, script)
        message_id = f"msg_01{record.request_id[7:]}"
        if conversation.stream:
            return await self._stream(request, events.stream(reply, message_id), record, script)
        return await self._unary(request, reply, message_id, record, script)

    async def _unary(
        self, request: web.BaseRequest, reply: answer.Answer, message_id: str, record: Record, script: Script
    ) -> web.StreamResponse:
        """A unary answer takes as long as the stream would have, and breaks where it would have broken."""
        if script is not DEFAULT:
            if script.silent_after_events is not None:
                await silence()
            if script.error_after_events is not None:
                error_type, message = script.stream_error
                raise ApiError(STATUS_BY_TYPE.get(error_type, 500), error_type, message)
            deltas = sum(len(block.pieces) for block in reply.blocks)
            if seconds := script.first_event_delay_seconds + script.chunk_interval_seconds * deltas:
                await asyncio.sleep(seconds)
            if script.cut_after_events is not None:
                await self._cut_body(request, events.unary(reply, message_id), record, script)
        data = events.unary(reply, message_id)
        self.journal.tokens_written += reply.output_tokens
        return self._json(data, record, script)

    async def _cut_body(self, request: web.BaseRequest, data: bytes, record: Record, script: Script) -> None:
        record.status = 200
        response = web.StreamResponse(headers=self._headers(record, script))
        response.content_type = _JSON
        response.content_length = len(data)
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        await cut_connection(request, script.cut or "close")

    async def _stream(
        self, request: web.BaseRequest, stream: events.Stream, record: Record, script: Script
    ) -> web.StreamResponse:
        journal = self.journal
        headers = self._headers(record, script)
        headers["Content-Type"] = "text/event-stream; charset=utf-8"
        headers["Cache-Control"] = "no-cache"
        response = web.StreamResponse(headers=headers)
        record.status = 200
        journal.streams_open += 1
        error_type, message = script.stream_error
        try:
            await response.prepare(request)
            error = error_body(error_type, message, record.request_id, script.details)
            await Playback(request, response, script, journal).play(stream, error)
            await response.write_eof()
            journal.streams_completed += 1
        except Cut:
            journal.streams_cut += 1
            raise
        except (asyncio.CancelledError, ConnectionError):
            if self.listener.state == "closed":
                journal.streams_cut += 1
            else:
                journal.streams_aborted_by_client += 1
            raise
        finally:
            journal.streams_open -= 1
        return response

    async def _send_garbage(self, request: web.BaseRequest) -> None:
        if request.transport is not None:
            request.transport.write(GARBAGE)
        await cut_connection(request, "close")

    def _headers(self, record: Record, script: Script) -> CIMultiDict[str]:
        second = int(record.time)
        if second != self._limit_headers_second:
            self._limit_headers = _rate_limit_headers(second)
            self._limit_headers_second = second
        headers = self._limit_headers.copy()
        headers["request-id"] = record.request_id
        if script.headers:
            for name, value in script.headers.items():
                headers[name] = value
        return headers

    def _json(self, data: bytes, record: Record, script: Script) -> web.Response:
        record.status = 200
        headers = self._headers(record, script)
        headers.setdefault("Content-Type", _JSON)
        return web.Response(body=data, headers=headers)

    def _error(self, error: ApiError, record: Record, script: Script) -> web.Response:
        record.status = error.status
        headers = self._headers(record, script)
        headers.setdefault("Content-Type", _JSON)
        data = error_body(error.error_type, error.message, record.request_id, script.details)
        return web.Response(status=error.status, body=data, headers=headers)

    def _raw(self, script: Script, record: Record) -> web.Response:
        """As from something in between: only the headers that were scripted."""
        record.status = script.status or 200
        headers = CIMultiDict(script.headers or {})
        headers.setdefault("Content-Type", script.content_type or _JSON)
        return web.Response(status=record.status, body=(script.body or "").encode(), headers=headers)


def _rate_limit_headers(second: int) -> CIMultiDict[str]:
    reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second + 60))
    headers: CIMultiDict[str] = CIMultiDict()
    for what, limit in (
        ("requests", 4000),
        ("input-tokens", 2_000_000),
        ("output-tokens", 400_000),
        ("tokens", 2_400_000),
    ):
        headers[f"anthropic-ratelimit-{what}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{what}-remaining"] = str(limit - 1)
        headers[f"anthropic-ratelimit-{what}-reset"] = reset
    headers["anthropic-organization-id"] = "00000000-0000-4000-8000-00005747a7e1"
    return headers
