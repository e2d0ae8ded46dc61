"""Plays one answer under a script: at its pace, with its silences, cuts and in-stream errors."""

from __future__ import annotations

import asyncio
from typing import Never

from aiohttp import web

from .events import PING, Step, Stream, error_event
from .journal import Journal
from .listener import reset
from .script import Script

_WRITE_AT_ONCE_BYTES = 64 * 1024


class Cut(Exception):  # noqa: N818 - not an error: the script asked for it
    """The connection was ended on purpose; there is nothing left to answer."""


async def cut_connection(request: web.BaseRequest, how: str) -> Never:
    """End the connection after what was written has left: with a RST, or (close, half_event) with a FIN."""
    transport = request.transport
    if transport is not None:
        while transport.get_write_buffer_size() and not transport.is_closing():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)
        if how == "reset":
            reset(transport)
        else:
            transport.close()
    raise Cut


async def silence() -> Never:
    """Until the client goes away, which cancels the handler."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets this event")


class Playback:
    """One stream being written. The counts are kept as it goes: a cancelled stream has counted what it sent."""

    def __init__(
        self, request: web.BaseRequest, response: web.StreamResponse, script: Script, journal: Journal
    ) -> None:
        self._request = request
        self._response = response
        self._script = script
        self._journal = journal

    async def play(self, stream: Stream, error_body: bytes) -> None:
        """Write the stream as scripted. `error_body` is the data of the in-stream error, should the script want one."""
        script = self._script
        limits = (script.silent_after_events, script.cut_after_events, script.error_after_events)
        last = next((limit for limit in limits if limit is not None), None)
        if last == -1:
            await self._end_early(stream.opening, error_body)
            return
        if last is None and not script.chunk_interval_seconds and not script.first_event_delay_seconds:
            await self._write_at_once(stream)
            return
        await self._write(stream.opening)
        if script.first_event_delay_seconds:
            await self._wait(script.first_event_delay_seconds)
        steps = stream.steps if last is None else stream.steps[:last]
        if script.chunk_interval_seconds:
            await self._write_paced(steps, script.chunk_interval_seconds)
        else:
            for step in steps:
                await self._write(step)
        if last is None:
            await self._write(stream.ending)
        else:
            await self._end_early(stream.steps[last] if last < len(stream.steps) else stream.ending, error_body)

    async def _end_early(self, unsent: Step, error_body: bytes) -> None:
        script = self._script
        if script.error_after_events is not None:
            await self._write(Step(error_event(error_body), 1, 0))
        elif script.cut_after_events is not None:
            if script.cut == "half_event":
                await self._response.write(unsent.data[: len(unsent.data) // 2])
            await cut_connection(self._request, script.cut or "close")
        elif script.pings:
            while True:
                await asyncio.sleep(script.ping_interval_seconds)
                await self._write(Step(PING, 1, 0))
        else:
            await silence()

    async def _write(self, step: Step) -> None:
        await self._response.write(step.data)
        self._journal.events_written += step.events
        self._journal.tokens_written += step.tokens

    async def _write_at_once(self, stream: Stream) -> None:
        """Unpaced, events share a write: the benchmark is to measure the stack, not our system calls."""
        data, events, tokens = [stream.opening.data], stream.opening.events, 0
        size = 0
        for step in (*stream.steps, stream.ending):
            data.append(step.data)
            events += step.events
            tokens += step.tokens
            size += len(step.data)
            if size > _WRITE_AT_ONCE_BYTES:
                await self._write(Step(b"".join(data), events, tokens))
                data, events, tokens, size = [], 0, 0, 0
        if data:
            await self._write(Step(b"".join(data), events, tokens))

    async def _write_paced(self, steps: list[Step], interval_seconds: float) -> None:
        # Against the clock, not by sleeping the interval: a busy machine must not stretch the stream.
        loop = asyncio.get_running_loop()
        due = loop.time()
        for step in steps:
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            await self._write(step)
            due += interval_seconds

    async def _wait(self, seconds: float) -> None:
        if not self._script.pings:
            await asyncio.sleep(seconds)
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(left, self._script.ping_interval_seconds))
            await self._write(Step(PING, 1, 0))
