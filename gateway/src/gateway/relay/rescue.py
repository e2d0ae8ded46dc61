"""Rescue: an answer of Claude's that broke off is gone on with by the local model, in the same stream."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from gateway.dialects import sse
from gateway.dialects.interface import Dialect, PartialAnswer, Request, StreamEdit
from gateway.metrics import Metrics
from gateway.relay.upstream import Ask, Upstream, UpstreamError

# Said where the answer broke, in mid-sentence; conversation.py takes it out whole, so that the sentence closes again.
RESCUE_LINE = "\n[My connection to Claude broke off here; my smaller brain goes on.]\n"

Outcome = Literal["ok", "rescued", "broken"]


@dataclass(frozen=True)
class Rescue:
    """Brings a broken stream to its end: as it is, by the local model, or with an error when it cannot be joined."""

    request: Request
    ask: Ask
    dialect: Dialect
    upstream: Upstream
    metrics: Metrics
    local_may_answer: bool
    line_wanted: bool
    mark: str  # for when the line is not wanted; empty: none
    send: Callable[[bytes], Awaitable[None]]

    async def run(self, sent: bytes, error_event: bytes) -> Outcome:
        """`sent` is what the client has of the stream, `error_event` what it broke with, if anything."""
        partial = self.dialect.partial(sent)
        if partial.finished:
            await self.send(partial.ending())
            return "ok"
        if not (partial.joinable and self.local_may_answer) or self.request.json_mode:
            await self.send(broken_off(self.dialect, self.ask.request_id, error_event))
            return "broken"
        reason = self.dialect.reason_of(error_event) if error_event else "adapter_down"
        try:
            return await self._continue(partial, sent, reason)
        except UpstreamError:
            await self.send(broken_off(self.dialect, self.ask.request_id))
            return "broken"

    async def _continue(self, partial: PartialAnswer, sent: bytes, reason: str) -> Outcome:
        ask = replace(self.ask, body=partial.continuation(self.request.body))
        async with self.upstream.asking(ask, "local") as answer:
            if answer.status != 200:
                raise UpstreamError("the local model cannot go on")
            outcome: Outcome = "rescued"
            self.metrics.rescues.labels(reason).inc()
            marked: StreamEdit | None = None
            if self.line_wanted:
                await self.send(partial.line(answer.model or "local", RESCUE_LINE))
            elif self.mark:
                marked = self.dialect.mark_stream(self.mark)
                marked.feed(sent)  # what Claude has said belongs to the text that is marked
            async for events in answer.events():
                for event in sse.split(events):
                    if self.dialect.is_error(event):
                        outcome = "broken"
                    joined = partial.join(event)
                    await self.send(marked.feed(joined) if marked else joined)
        return outcome


def broken_off(dialect: Dialect, request_id: str, error_event: bytes = b"") -> bytes:
    """The end of a stream that cannot be finished: an error, so that nobody takes the part for the whole."""
    message = "The answer broke off: its connection was lost. Ask again."
    ours = dialect.error(502, message, "broken_stream", {})
    return dialect.upstream_error(error_event) or dialect.error_event(ours.body_bytes(request_id))
