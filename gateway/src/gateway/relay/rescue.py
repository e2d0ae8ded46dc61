"""Rescue: an answer of Claude's that broke off is gone on with by the local model, in the same stream."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal

from gateway.dialects import sse
from gateway.dialects.interface import Dialect, PartialAnswer, Request
from gateway.metrics import Metrics
from gateway.relay.upstream import Ask, Upstream, UpstreamError

# Said where the answer broke, in mid-sentence; taken out of histories whole, so that the sentence closes again.
RESCUE_LINE = "\n[My connection to Claude broke off here; my smaller brain goes on.]\n"

Outcome = Literal["ok", "rescued", "broken"]
Send = Callable[[bytes], Awaitable[None]]


async def rescue(
    request: Request,
    ask: Ask,
    sent: bytes,
    error_event: bytes,
    *,
    dialect: Dialect,
    upstream: Upstream,
    metrics: Metrics,
    line_wanted: Callable[[], bool],
    send: Send,
) -> Outcome:
    """Bring the stream to its end: as it is, by the local model, or with an error when its part cannot be joined.

    `sent` is what the client has of it, `error_event` what it broke with, if anything.
    """
    partial = dialect.partial(sent)
    if partial.finished:
        await send(partial.ending())
        return "ok"
    if not partial.joinable or request.json_mode:
        await send(broken_off(dialect, ask.request_id, error_event))
        return "broken"
    reason = dialect.reason_of(error_event) if error_event else "adapter_down"
    continuation = replace(ask, body=partial.continuation(request.body))
    try:
        return await _continue(partial, continuation, reason, dialect, upstream, metrics, line_wanted, send)
    except UpstreamError:
        await send(broken_off(dialect, ask.request_id))
        return "broken"


def broken_off(dialect: Dialect, request_id: str, error_event: bytes = b"") -> bytes:
    """The end of a stream that cannot be finished: an error, so that nobody takes the part for the whole."""
    message = "The answer broke off: its connection was lost. Ask again."
    ours = dialect.error(502, message, "broken_stream", {})
    return dialect.upstream_error(error_event) or dialect.error_event(ours.body_bytes(request_id))


async def _continue(
    partial: PartialAnswer,
    ask: Ask,
    reason: str,
    dialect: Dialect,
    upstream: Upstream,
    metrics: Metrics,
    line_wanted: Callable[[], bool],
    send: Send,
) -> Outcome:
    async with upstream.asking(ask, "local") as answer:
        if answer.status != 200:
            raise UpstreamError("the local model cannot go on")
        outcome: Outcome = "rescued"
        metrics.rescues.labels(reason).inc()
        if line_wanted():
            await send(partial.line(answer.model or "local", RESCUE_LINE))
        async for events in answer.events():
            for event in sse.split(events):
                if dialect.is_error(event):
                    outcome = "broken"
                await send(partial.join(event))
    return outcome
