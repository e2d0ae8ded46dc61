"""One request, from the client's words to Claude's and back: what the dialects share.

Plain ASGI and one task per request beside the watcher for the client's leaving: this is the path where CPU counts.
A dialect says how a request is read, how Claude is asked, and what an error looks like.
"""

import asyncio
import logging
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

from starlette.types import Receive, Scope, Send

from claude_adapter.availability.breaker import Admission, Breaker
from claude_adapter.availability.evidence import asker
from claude_adapter.availability.patience import Patience, PatienceRules
from claude_adapter.availability.reasons import Fallback
from claude_adapter.availability.recent_reasons import RecentReasons
from claude_adapter.availability.silence import SilenceWatch
from claude_adapter.availability.stall_timer import StallTimer
from claude_adapter.endpoints.client import ClientGoneError, read_body, watching_client
from claude_adapter.endpoints.json_body import Json
from claude_adapter.endpoints.tool_loop import ends_in_tool_result
from claude_adapter.errors import BadRequestError, ErrorDialect
from claude_adapter.metrics import Metrics
from claude_adapter.settings import Settings
from claude_adapter.taxonomy import ClientError, classify_broken
from claude_adapter.upstream.client import Claude
from claude_adapter.upstream.message_stream import RawAnswer
from claude_adapter.upstream.upstream_error import UpstreamError

_log = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]

JSON_HEADERS: Headers = [(b"content-type", b"application/json")]
_STALL_FACTOR_WHILE_THINKING = 10
_SERVED_BY_CLAUDE = (b"x-served-by", b"claude")
_SURPRISE = classify_broken("The adapter met something unexpected: see its log.")
_LONGEST_HEADER_VALUE = 256
_NOT_IN_A_HEADER = re.compile(r"[^\x21-\x7e]")


class Reply(Protocol):
    """What is known of a reply while it passes."""

    model: str  # as asked, until Claude says which it really is
    ended: bool  # its last event has come

    @property
    def input_tokens(self) -> int:
        """Tokens Claude has read."""

    @property
    def output_tokens(self) -> int:
        """Tokens Claude has written."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An ASGI endpoint: each request is an exchange in its dialect."""

    exchange: "type[Exchange]"
    settings: Settings
    claude: Claude
    breaker: Breaker
    reasons: RecentReasons
    metrics: Metrics
    silence: SilenceWatch
    patience: PatienceRules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Whatever happens ends as an answer, a 4xx or a 503; never as a 500."""
        exchange = self.exchange(self, scope, receive, send)
        try:
            outcome = await exchange.serve()
        except ClientGoneError:
            outcome = "client_gone"
        except BadRequestError as error:
            await exchange.refuse(error)
            outcome = "client_error"
        except UpstreamError as error:
            outcome = await exchange.fail(error)
        except Exception as error:  # noqa: BLE001  # the last resort: the backup answers what we stumble over
            _log.error("unexpected %s at %s", type(error).__name__, _place_of(error))
            outcome = await exchange.fail(UpstreamError(_SURPRISE))
        finally:
            await exchange.close()
        self.metrics.requests.labels(outcome).inc()


class Exchange(ABC):
    """The state of one request."""

    errors: ClassVar[ErrorDialect]
    # A request that costs nothing proves nothing about credit, quota and rate, and is not served by every gateway.
    spends: ClassVar[bool] = True
    # Whether an outage is waited out in the middle of a tool loop.
    waits_in_tool_loop: ClassVar[bool] = True

    def __init__(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        self._endpoint = endpoint
        self._scope = scope
        self._receive = receive
        self._send = send
        self._stream: RawAnswer | None = None
        self._reply: Reply | None = None
        self._begun = False  # something of Claude's answer has come: it is not asked for again
        self._head_sent = False
        self._complete = False  # the last byte has been handed to the server
        self._request: Json = {}  # as Claude is to see it

    @abstractmethod
    def read(self, body: bytes) -> str:
        """Take in the request; gives the model to ask. Raises `BadRequestError`."""

    @abstractmethod
    async def ask(self, admission: Admission) -> None:
        """Ask Claude and answer the client. Raises `UpstreamError`."""

    async def serve(self) -> str:
        """Read, send, relay; gives the outcome. Raises what kept the answer away."""
        breaker = self._endpoint.breaker
        body = await read_body(self._receive)
        with Patience(self.patience_rules(), breaker.clock(), lambda: self._in_tool_loop(body)) as patience:
            if (refusal := breaker.refusal()) is not None:  # before the body is looked at: an outage costs nothing
                self._wait_or_raise(refusal, None, patience)
            model = self.read(body)
            async with watching_client(self._receive, lambda: self._complete):
                while True:
                    if await self._answered(model, patience):
                        return "ok"
                    await asyncio.sleep(patience.pause_seconds(breaker.clock()))

    def patience_rules(self) -> PatienceRules:
        """How patient this kind of request is."""
        return self._endpoint.patience

    async def _answered(self, model: str, patience: Patience) -> bool:
        """Ask Claude, if it is time to. Raises `UpstreamError` when patience is over."""
        breaker = self._endpoint.breaker
        is_due = breaker.clock() >= patience.next_at
        admission = breaker.admit(model) if is_due else breaker.refusal(model)
        if isinstance(admission, Fallback):
            self._wait_or_raise(admission, model, patience)
        if not isinstance(admission, Admission):
            return False
        if patience.failure is not None:
            self._endpoint.metrics.retries.labels(patience.failure.reason).inc()
        with admission:
            try:
                await self.ask(admission)
            except UpstreamError as error:
                if not self._is_repeated(error, admission, patience):
                    raise
                await self.close()
                return False
        return True

    def _wait_or_raise(self, refusal: Fallback, model: str | None, patience: Patience) -> None:
        breaker = self._endpoint.breaker
        if not patience.waits_out(refusal, breaker.refuses_until(model), breaker.clock()):
            raise UpstreamError(refusal)

    def _is_repeated(self, error: UpstreamError, admission: Admission, patience: Patience) -> bool:
        """Whether Claude is asked again. The breaker is told of the failure, unless it may be just a hiccup."""
        verdict = error.verdict
        if isinstance(verdict, ClientError):
            if self.spends:
                admission.success()
            return False
        now = self._endpoint.breaker.clock()
        if not self._begun and patience.overlooks(verdict, now, on_trial=admission.on_trial):
            return True
        _log.warning("Claude failed: %s: %s", verdict.reason, verdict.detail)
        proves_nothing = verdict.needs_evidence or verdict.silent_seconds is not None or verdict.is_tried
        if self.spends or not proves_nothing:
            admission.failure(verdict, asker(self._request))
        return not self._begun and patience.goes_on(verdict, now)

    def _in_tool_loop(self, body: bytes) -> bool:
        if not self.waits_in_tool_loop or self._header(b"x-pilot-fallback") == "off":
            return False
        return ends_in_tool_result(body)

    async def refuse(self, error: BadRequestError) -> None:
        """Tell the client what it did wrong."""
        await self._respond(error.status, [*JSON_HEADERS, _SERVED_BY_CLAUDE], self.errors.mistake(error))

    async def fail(self, error: UpstreamError) -> str:
        """Tell the client, or nginx, what went wrong; gives the outcome."""
        verdict = error.verdict
        if isinstance(verdict, ClientError):
            if self._head_sent:
                event = error.event or self.errors.event(verdict.message, verdict.code or "invalid_request_error")
                await self._body_part(event, last=True)
            else:
                await self._pass_on_mistake(error, verdict)
            return "client_error"
        reason = verdict.reason
        self._endpoint.reasons.record(self._header(b"x-request-id"), reason)
        if self._head_sent:
            await self._body_part(self._broken(error, verdict), last=True)
        else:
            await self._respond(503, [(b"x-fallback-reason", reason.encode())], b"")
        return reason

    async def close(self) -> None:
        """Let go of the connection to Claude, if there is one: for reuse after a complete reply, else cut."""
        if self._reply is not None:
            self._endpoint.metrics.input_tokens.inc(self._reply.input_tokens)
            self._endpoint.metrics.output_tokens.inc(self._reply.output_tokens)
        if self._stream is not None:
            if self._reply is not None and self._reply.ended and self._complete:
                await self._stream.drain()
            await self._stream.close()
        self._stream = self._reply = None

    def _stall_timer(self, thinking: object) -> StallTimer:
        """For a stream: until its first content, and between later ones. `thinking` is the request's field."""
        settings = self._endpoint.settings
        thinks = isinstance(thinking, dict) and thinking.get("type") not in (None, "disabled")
        thinking_stall_seconds = settings.claude_stall_seconds * _STALL_FACTOR_WHILE_THINKING
        return StallTimer(
            settings.claude_first_token_seconds,
            thinking_stall_seconds if thinks else settings.claude_stall_seconds,
            self._endpoint.silence.silent,
            thinking_stall_seconds,  # newer models also think unasked
        )

    def _stalled(self, timer: StallTimer) -> UpstreamError:
        """The failure that a timer which ran out stands for."""
        if timer.given_up:
            return UpstreamError(timer.given_up)
        if timer.started:
            detail = f"Claude fell silent for {timer.stall_seconds:g} s in the middle of its reply."
            return UpstreamError(Fallback("stall", detail, silent_seconds=timer.stall_seconds))
        seconds = self._endpoint.settings.claude_first_token_seconds
        detail = f"Claude said nothing for {seconds:g} s."
        return UpstreamError(Fallback("first_token", detail, silent_seconds=seconds))

    async def _pass_on_mistake(self, error: UpstreamError, verdict: ClientError) -> None:
        await self.refuse(BadRequestError(verdict.message, status=verdict.status, code=verdict.code))

    def _broken(self, error: UpstreamError, verdict: Fallback) -> bytes:
        return self.errors.event(verdict.detail, verdict.reason)

    async def _start(self, status: int, headers: Headers) -> None:
        self._begun = self._head_sent = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _respond(self, status: int, headers: Headers, body: bytes) -> None:
        await self._start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self._body_part(body, last=True)

    async def _body_part(self, body: bytes, *, last: bool) -> None:
        self._complete = last
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    def _served_by_claude(self, headers: Headers) -> Headers:
        model = self._reply.model if self._reply is not None else ""
        return [*headers, _SERVED_BY_CLAUDE, (b"x-model", header_value(model))]

    def _header(self, name: bytes) -> str:
        for key, value in self._scope["headers"]:
            if key == name:
                return str(value, "latin-1")
        return ""


def header_value(text: str) -> bytes:
    """`text` with what may not stand in a header replaced, and cut where nginx would take it for too much."""
    return _NOT_IN_A_HEADER.sub("_", text[:_LONGEST_HEADER_VALUE]).encode()


def _place_of(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "an unknown place"
