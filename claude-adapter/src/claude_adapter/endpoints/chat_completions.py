"""`POST /v1/chat/completions`: translated to Messages, and Claude's events back to chunks.

Claude is always asked for a stream, also for a whole reply, so that the same timer watches over both.
"""

import time
import uuid
from typing import Any

from claude_adapter import taxonomy
from claude_adapter.availability.breaker import Admission
from claude_adapter.availability.stall_timer import StallTimer
from claude_adapter.endpoints.exchange import JSON_HEADERS, Exchange, Headers, header_value
from claude_adapter.endpoints.handover import HEADER, label_local_answers
from claude_adapter.endpoints.json_body import json_bytes, parse_object
from claude_adapter.errors import OPENAI
from claude_adapter.translation.cache_marks import add_marks
from claude_adapter.translation.chunks import ChunkedReply
from claude_adapter.translation.reply import WholeReply
from claude_adapter.translation.request import to_messages, wants_stream, wants_usage_chunk
from claude_adapter.translation.tools import custom_tools
from claude_adapter.upstream.message_stream import MessageStream
from claude_adapter.upstream.upstream_error import UpstreamError

_SSE_HEADERS: Headers = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_ENDED_EARLY = taxonomy.classify_ended_early()


class ChatExchange(Exchange):
    """One Chat Completions request."""

    errors = OPENAI

    def read(self, body: bytes) -> str:
        """Translate the request."""
        settings = self._endpoint.settings
        request = parse_object(body)
        if isinstance(name := request.get("model"), str):
            request["model"] = settings.model_for(name)
        label_local_answers(request, self._header(HEADER))
        self._streaming, self._usage_chunk = wants_stream(request), wants_usage_chunk(request)
        self._custom_tools = custom_tools(request)
        self._request = to_messages(request, settings.claude_model, settings.claude_max_tokens)
        if settings.claude_cache == "on":
            add_marks(self._request)
        self._raw = json_bytes(self._request)
        model: str = self._request["model"]
        return model

    async def ask(self, admission: Admission) -> None:
        """Send, and relay what comes, as chunks or whole."""
        timer = self._stall_timer(self._request.get("thinking"))
        try:
            async with timer:
                self._stream = stream = await self._endpoint.claude.send(self._raw)
                reply_id = f"chatcmpl-{stream.request_id or uuid.uuid4().hex}"
                created, model = int(time.time()), self._request["model"]
                if self._streaming:
                    self._reply = chunked = ChunkedReply(
                        reply_id, created, model, include_usage=self._usage_chunk, custom=self._custom_tools
                    )
                    await self._relay(stream, chunked, timer, admission)
                else:
                    self._reply = whole = WholeReply(reply_id, created, model, custom=self._custom_tools)
                    await self._relay(stream, whole, timer, admission)
                    timer.hold()
                    await self._respond(200, self._served_by_claude(JSON_HEADERS), whole.body())
        except TimeoutError:
            if not timer.expired:
                raise
            raise self._stalled(timer) from None

    async def _relay(
        self, stream: MessageStream, reply: ChunkedReply | WholeReply, timer: StallTimer, admission: Admission
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
                failure = None  # all that matters has come; only the last event is missing
                held += reply.finish()
            for event in events or ():
                if event.get("type") == "error":
                    failure = UpstreamError(taxonomy.classify_event(event))
                    break
                held += reply.feed(event)
                if (thinks := _thinks(event)) is not None:
                    timer.thinking(thinks)
                if event.get("type") != "ping" and (reply.has_content or thinks):
                    if not timer.started:
                        self._begun = True
                        admission.success()
                    timer.progress()
            if held and reply.has_content and isinstance(reply, ChunkedReply) and (self._head_sent or failure is None):
                timer.hold()
                if not self._head_sent:
                    await self._start(200, self._served_by_claude(_SSE_HEADERS))
                await self._body_part(held, last=reply.ended)
                timer.progress()
                held = b""
            if failure is not None:
                raise failure

    def _served_by_claude(self, headers: Headers) -> Headers:
        served = super()._served_by_claude(headers)
        if self._stream is not None and self._stream.request_id:
            served.append((b"request-id", header_value(self._stream.request_id)))
        return served


def _thinks(event: dict[str, Any]) -> bool | None:
    """Whether a block that begins is thinking, in which Claude may be silent for minutes; None when none begins."""
    if event.get("type") != "content_block_start":
        return None
    return (event.get("content_block") or {}).get("type") in ("thinking", "redacted_thinking")
