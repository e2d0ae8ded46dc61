"""An answer of Claude's as it comes: as bytes, or as the events of a Messages stream."""

import asyncio
from contextlib import suppress
from typing import Any

import orjson

from claude_adapter import taxonomy
from claude_adapter.upstream.connection_errors import problem_of
from claude_adapter.upstream.connections import Answer
from claude_adapter.upstream.headers import passed_back
from claude_adapter.upstream.sse import SseSplitter, data_of, name_of
from claude_adapter.upstream.upstream_error import UpstreamError

_CLOSE_SECONDS = 1.0
_DRAIN_SECONDS = 1.0


class RawAnswer:
    """An answer of Claude's that has begun, as bytes. Its owner must `close()` it."""

    __slots__ = ("_answer", "request_id")

    def __init__(self, answer: Answer) -> None:
        self.request_id: str | None = answer.headers.get("request-id")
        self._answer = answer

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._answer.status

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What can be passed on to a client: all but those of the connection."""
        return passed_back(self._answer.header_lines)

    async def read_bytes(self) -> bytes | None:
        """The next read; None at the end. Raises `UpstreamError` when the connection breaks."""
        try:
            return await self._answer.read() or None
        except Exception as error:
            raise UpstreamError(verdict_on(error)) from error

    async def drain(self) -> None:
        """Read the last bytes, so that the connection can serve the next request without a new handshake."""
        with suppress(TimeoutError, UpstreamError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await self.read_bytes() is not None:
                    pass

    async def close(self) -> None:
        """Give the connection back, or cut it when the reply is not over. Never raises."""
        with suppress(Exception):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._answer.close()


class MessageStream(RawAnswer):
    """The events of one streamed Messages reply."""

    __slots__ = ("_splitter",)

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._splitter = SseSplitter()

    async def read(self) -> list[dict[str, Any]] | None:
        """The events that the next read completes (often one, maybe none); None at the end of the stream.

        Raises `UpstreamError` when the connection breaks or what comes is not a Messages stream.
        """
        chunk = await self.read_bytes()
        if chunk is None:
            return None
        try:
            return [_parse(event, data) for event in self._splitter.feed(chunk) if (data := data_of(event)) is not None]
        except ValueError as error:
            raise UpstreamError(taxonomy.classify_broken(f"Claude's stream could not be read: {error}.")) from error


def verdict_on(error: Exception) -> taxonomy.Verdict:
    """Whose fault is it that the connection gave nothing, or nothing more?"""
    return taxonomy.classify_connection(problem_of(error))


def _parse(event: bytes, data: bytes) -> dict[str, Any]:
    document = orjson.loads(data)
    if not isinstance(document, dict):
        raise ValueError("an event that is no JSON object")  # wrong data, not a wrong type in our code
    return document if "type" in document else {**document, "type": name_of(event)}
