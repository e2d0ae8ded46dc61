"""One request and its answer: hands it to the backends and tells the person who answered, in any dialect.

A bare ASGI endpoint, because every layer costs CPU for each token that passes.
"""

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from gateway.dialects.errors import NOBODY_CODE, ApiError
from gateway.dialects.interface import Dialect, Reply, Request, StreamEdit
from gateway.metrics import Metrics
from gateway.relay import failover
from gateway.relay.client import ClientWatch, read_body
from gateway.relay.conversation import Conversation
from gateway.relay.eligibility import Eligibility, SideTaskRule, eligibility
from gateway.relay.failover import NobodyError, OnlyClaudeError
from gateway.relay.notice import Addition, Wording
from gateway.relay.refusal import refusal
from gateway.relay.rescue import Rescue, broken_off
from gateway.relay.upstream import Answer, Ask, Upstream, UpstreamError
from gateway.status.poller import Status

_log = logging.getLogger(__name__)

# claude-adapter labels the answers that it names, by their places in `messages`; nobody else may set it.
LOCAL_ANSWERS = "X-Pilot-Local-Answers"
ONLY_CLAUDE = ("X-Pilot-Fallback", "off")  # claude-adapter refuses at once in an outage, in a tool loop as well
_MOST_LABELS = 200  # the newest; a header has a limit
_LARGE_BYTES = 512 << 10  # reading a body takes 5 to 150 ms a megabyte: beyond this the others do not wait for it


@dataclass(frozen=True, eq=False)
class Endpoint:
    """The ASGI endpoint of one dialect; `under_claude`: at the path where only Claude may answer."""

    dialect: Dialect
    upstream: Upstream
    status: Status
    metrics: Metrics
    wording: Wording
    side_tasks: SideTaskRule
    under_claude: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and count it when its last byte has gone."""
        await _Exchange(self, scope, send).run(receive)


class _Exchange:
    """One request and its answer."""

    def __init__(self, endpoint: Endpoint, scope: Scope, send: Send) -> None:
        self._endpoint = endpoint
        self._dialect = endpoint.dialect
        self._status = endpoint.status
        self._metrics = endpoint.metrics
        self._header_lines: list[tuple[bytes, bytes]] = scope["headers"]
        self._headers: dict[bytes, bytes] = dict(self._header_lines)  # those of ours, which stand once
        self._query: str = scope["query_string"].decode("latin-1")
        self._send = send
        self._arrived = time.perf_counter()
        self._request_id = self._headers.get(b"x-request-id", b"").decode("latin-1")
        self._backend = "none"
        self._outcome = "ok"
        self._head_sent = False
        self._sent = bytearray()  # of a stream of Claude's, in the backends' API
        self._reply = Reply()
        self._conversation: Conversation
        self._eligible: Eligibility

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
                except OnlyClaudeError as error:
                    await self._hold_back(error)
                except NobodyError as error:
                    headers = {"Retry-After": str(error.retry_after_seconds)}
                    await self._refuse(self._dialect.error(503, str(error), NOBODY_CODE, headers))
                except Exception as error:  # noqa: BLE001  # a client gets an answer, never a traceback
                    # The place says enough for us; the message could hold what somebody wrote.
                    _log.error("unexpected %s at %s", type(error).__name__, _place_of(error))
                    message = "Pilot Light made a mistake. Its log says where."
                    await self._refuse(self._dialect.error(500, message, "internal_error", {}))
            if client.gone:
                self._outcome = "client_gone"
        self._metrics.requests.labels(self._dialect.name, self._backend, self._outcome).inc()
        caller = self._headers.get(b"x-pilot-caller", b"").decode("latin-1")  # the edge's word, whatever a client sent
        self._metrics.caller_requests.labels(caller or "anonymous").inc()

    def _read(self, raw: bytes) -> tuple[Request, bytes]:
        """The request and its body as the backends are to have it. Raises an ApiError of the dialect."""
        request = self._dialect.read(raw, self._headers.get(b"content-type", b"").decode("latin-1"))
        self._reply = self._dialect.reply(request)
        self._conversation = self._endpoint.wording.reader.read(request.body["messages"])
        if self._conversation.changed:
            request = replace(request, body={**request.body, "messages": self._conversation.messages}, raw=b"")
        return request, request.raw or orjson.dumps(request.body)

    async def _answer(self, raw: bytes) -> None:
        if self._headers.get(b"content-encoding", b"identity").lower() not in (b"identity", b""):
            message = "The body is compressed. Send it as it is, without the header Content-Encoding."
            raise self._dialect.error(415, message, "unsupported_media_type", {"Accept-Encoding": "identity"})
        if len(raw) < _LARGE_BYTES:
            request, raw = self._read(raw)
        else:
            request, raw = await asyncio.to_thread(self._read, raw)
        query = f"?{self._query}" if self._query else ""
        headers = self._dialect.passed_forward(self._header_lines)
        if self._conversation.local_answers and self._endpoint.wording.label:
            headers.append((LOCAL_ANSWERS, ",".join(map(str, self._conversation.local_answers[-_MOST_LABELS:]))))
        self._eligible = eligibility(
            request,
            self._headers,
            self._endpoint.side_tasks if self._dialect.counts_as_answer else None,
            under_claude=self._endpoint.under_claude,
            by_name=request.model in ("local", self._status.local.model),
            reason=self._status.claude.reason,
        )
        if self._eligible.answerer == "claude":
            headers.append(ONLY_CLAUDE)
        ask = Ask(self._dialect.backend_path + query, raw, self._request_id, headers)

        async def deliver(answer: Answer) -> None:
            await self._deliver(request, answer)

        try:
            await failover.answer(
                ask,
                self._endpoint.upstream,
                self._status,
                self._eligible.answerer,
                deliver=deliver,
                begun=lambda: self._head_sent,
            )
        except UpstreamError as error:
            await self._finish(request, ask, error.event)

    async def _deliver(self, request: Request, answer: Answer) -> None:
        self._backend = answer.backend
        answerer = self._eligible.answerer
        if answer.status >= 500 and answerer == "claude":
            raise OnlyClaudeError(answer.reason)
        if answer.status >= 500:
            raise NobodyError(self._status, answer.retry_after_seconds, await answer.explanation())
        if answer.status >= 400:
            self._outcome = "client_error"
        if self._backend != self._status.active and answerer == "anyone":
            self._status.look_again()
        headers = answer.headers
        added: Addition | None = None
        if self._backend == "local" and answerer == "anyone":
            reason = await self._status.reason_for(self._request_id)
            self._metrics.fallbacks.labels(reason).inc()
            headers.append((b"x-fallback-reason", reason.encode()))
            if answer.status == 200 and self._may_add(request):
                added = self._endpoint.wording.addition(told=self._conversation.told)
        if not answer.is_stream:
            await self._deliver_whole(answer, headers, added)
        elif self._backend == "claude":
            await self._deliver_claude_stream(answer, headers)
        else:
            await self._deliver_local_stream(answer, headers, added)

    def _may_add(self, request: Request) -> bool:
        wanted = self._headers.get(b"x-pilot-notice", b"").strip().lower() != b"off"
        return wanted and request.additions_allowed and self._eligible.task is None

    async def _deliver_whole(self, answer: Answer, headers: list[tuple[bytes, bytes]], added: Addition | None) -> None:
        body = await answer.whole()
        if added and (with_addition := self._with_addition(body, added)):
            body = with_addition
            self._metrics.notices.inc(added == "notice")
        if answer.status == 200:
            body = self._reply.whole(body)
        await self._start(answer.status, [*headers, (b"content-length", b"%d" % len(body))])
        await self._send({"type": "http.response.body", "body": body})

    def _with_addition(self, body: bytes, added: Addition) -> bytes | None:
        """The unary answer with it; None when it has no words, or no shape that we know."""
        wording = self._endpoint.wording
        try:
            answer = orjson.loads(body)
            if added == "notice":
                answer = self._dialect.with_notice(answer, wording.notice)
            else:
                answer = self._dialect.with_mark(answer, wording.mark)
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
        return orjson.dumps(answer) if answer else None

    async def _deliver_local_stream(
        self, answer: Answer, headers: list[tuple[bytes, bytes]], added: Addition | None
    ) -> None:
        await self._start(answer.status, headers)
        stream: StreamEdit | None = None
        if added == "notice":
            stream = self._dialect.notice_stream(self._endpoint.wording.notice)
            self._metrics.notices.inc()
        elif added == "mark":
            stream = self._dialect.mark_stream(self._endpoint.wording.mark)
        opened = first_token = False
        async for events in answer.events():
            # The first event only opens the answer; it comes before prefill.
            words = events if opened else events.partition(b"\n\n")[2]
            opened = True
            if not first_token and words and self._dialect.has_words(words):
                first_token = True
                self._observe(self._metrics.first_token)
            await self._send_events(stream.feed(events) if stream else events)
        await self._end()

    async def _deliver_claude_stream(self, answer: Answer, headers: list[tuple[bytes, bytes]]) -> None:
        await self._start(answer.status, headers)
        self._observe(self._metrics.first_token)  # its head is held back until the first words
        async for events in answer.events():
            good, error_event = self._dialect.split_at_error(events)
            self._sent += good
            await self._send_events(good)
            if error_event:
                raise UpstreamError("the stream ended with an error", event=error_event)
        if not self._dialect.has_ended(self._sent):
            raise UpstreamError("the stream ended too early")
        await self._end()

    async def _finish(self, request: Request, ask: Ask, error_event: bytes) -> None:
        """Bring a stream that broke to its end."""
        if self._backend == "claude":
            self._status.look_again()
            wording, may_add = self._endpoint.wording, self._may_add(request)
            rescue = Rescue(
                request,
                ask,
                self._dialect,
                self._endpoint.upstream,
                self._metrics,
                local_may_answer=self._eligible.answerer != "claude",
                line_wanted=may_add and wording.policy != "never",
                mark=wording.mark if may_add else "",
                send=self._send_events,
            )
            self._outcome = await rescue.run(bytes(self._sent), error_event)
        else:
            self._outcome = "broken"
            await self._send_events(broken_off(self._dialect, self._request_id))
        await self._end()

    async def _hold_back(self, error: OnlyClaudeError) -> None:
        self._backend = "none"
        self._status.look_again()
        reason = error.reason or await self._status.reason_for(self._request_id)
        self._metrics.refused_side_tasks.labels(*self._eligible.labels).inc()
        await self._refuse(refusal(self._dialect, self._eligible, self._status.claude, reason))
        self._outcome = "refused"

    async def _refuse(self, error: ApiError) -> None:
        self._outcome = "nobody" if error.status >= 500 else "client_error"
        body = error.body_bytes(self._request_id)
        if self._head_sent:
            await self._send_events(self._dialect.error_event(body))
            await self._end()
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
        await self._start(error.status, headers + self._dialect.error_headers(self._request_id))
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._head_sent = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        self._observe(self._metrics.first_byte)

    async def _send_events(self, events: bytes) -> None:
        if events:
            await self._send({"type": "http.response.body", "body": self._reply.events(events), "more_body": True})

    async def _end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})

    def _observe(self, histogram: Any) -> None:
        histogram.labels(self._backend).observe(time.perf_counter() - self._arrived)


def _place_of(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "an unknown place"
