"""The way to the backends: nginx's upstream, over its Unix socket. It chooses; this module only asks.

Alone knows the client library, what is tried again on a lost connection, and who gives up on a service that hangs.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp
import orjson

from gateway.dialects.sse import EventReader
from gateway.metrics import BACKENDS
from gateway.status.contracts import read_header, read_retry_after
from gateway.status.liveness import HungError
from gateway.status.poller import ADAPTER, Status

Target = Literal["chosen", "claude", "local"]  # by nginx, or this one whatever nginx would choose

# A stream may be silent while Claude thinks; the timeouts that decide are the adapter's.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=2)

# An nginx worker that dies takes many pooled connections with it; after the pause the pool knows.
_PAUSES_SECONDS = (0.01, 0.1)

_LIST_TIMEOUT = aiohttp.ClientTimeout(total=2.5)  # Claude Code waits three seconds for a list of models
_LIST_HEADERS = {"anthropic-version": "2023-06-01"}

# Hop-by-hop, or made anew for the client's connection (RFC 9110, section 7.6.1).
_NOT_PASSED_ON = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"server", b"date"))

_Lost = (aiohttp.ClientError, ConnectionError)


class UpstreamError(Exception):
    """No answer, or not the rest of one. `again`: another attempt may bring it; `event`: the stream's error event."""

    def __init__(self, what: str, *, again: bool = False, event: bytes = b"") -> None:
        super().__init__(what)
        self.again = again
        self.event = event


@dataclass(frozen=True)
class Ask:
    """A POST of JSON to a path at the backends, with these headers beside our own."""

    path: str
    body: bytes
    request_id: str
    headers: list[tuple[str, str]]


class Answer:
    """An answer whose head is there."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        backend = response.headers.get("X-Served-By", "none")
        self.backend = backend if backend in BACKENDS else "none"  # none: nginx itself
        self.model = read_header(response.headers.get("X-Model"))
        self.reason = read_header(response.headers.get("X-Fallback-Reason"))
        self.retry_after_seconds = read_retry_after(response.headers.get("Retry-After"))
        self.is_stream = response.content_type == "text/event-stream"

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Those that the client is to have."""
        return [header for header in self._response.raw_headers if header[0].lower() not in _NOT_PASSED_ON]

    async def whole(self) -> bytes:
        """The body. Raises UpstreamError."""
        try:
            return await self._response.read()
        except _Lost:
            raise UpstreamError("the answer was lost on its way", again=True) from None

    async def events(self) -> AsyncIterator[bytes]:
        """A stream's whole events, as many at once as have come. Raises UpstreamError."""
        reader = EventReader()
        try:
            while read := await self._response.content.readany():
                if events := reader.feed(read):
                    yield events
        except _Lost:
            raise UpstreamError("the stream was lost") from None

    async def explanation(self) -> str | None:
        """What local-llm says when it cannot answer; nginx's own error page has no X-Served-By and says nothing."""
        if self.backend == "none":
            return None
        try:
            return str(orjson.loads(await self.whole())["error"]["message"])
        except (UpstreamError, ValueError, LookupError, TypeError):
            return None


class Upstream:
    """A pool of connections to `brains.sock`."""

    def __init__(self, socket: Path, status: Status) -> None:
        self._status = status
        self._session = aiohttp.ClientSession(
            "http://brains",
            connector=aiohttp.UnixConnector(str(socket), limit=0),
            timeout=_TIMEOUT,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )

    @contextlib.asynccontextmanager
    async def asking(self, ask: Ask, target: Target) -> AsyncIterator[Answer]:
        """The answer to `ask`, from its head on. Raises UpstreamError, also in the context, wherever that waits."""
        answer: Answer | None = None

        def waits_for_adapter() -> bool:
            return target != "local" and (answer is None or answer.backend == "claude")

        def waits_for_local() -> bool:
            if target == "claude":
                return False
            if answer is not None:
                return answer.backend != "claude"
            return target == "local" or self._status.claude.state in ("open", "down")

        status = self._status
        try:
            with (
                status.adapter_liveness.abandoning(waits_for_adapter),
                status.local_liveness.abandoning(waits_for_local),
            ):
                async with await self._post(ask, target) as response:
                    answer = Answer(response)
                    yield answer
        except HungError as error:
            raise UpstreamError(f"{error} hangs", again=str(error) == ADAPTER) from None

    async def list_models(self) -> bytes | None:
        """Claude's own list of models; None when it is not Claude that answers. Raises UpstreamError."""
        try:
            async with self._session.get(
                "/v1/models?limit=1000", headers=_LIST_HEADERS, timeout=_LIST_TIMEOUT
            ) as response:
                if response.status != 200 or Answer(response).backend != "claude":
                    return None
                return await response.read()
        except (*_Lost, TimeoutError) as error:
            raise UpstreamError("the list of models cannot be had") from error

    async def close(self) -> None:
        """Close the pool."""
        await self._session.close()

    async def _post(self, ask: Ask, target: Target) -> aiohttp.ClientResponse:
        """Returns once the answer's head is there.

        A connection that was lost is tried again: nothing has come back, and the backends' tries may be repeated (see
        nginx.conf).
        """
        path = ask.path if target == "chosen" else f"/{target}{ask.path}"
        headers = [*ask.headers, ("Content-Type", "application/json"), ("X-Request-Id", ask.request_id)]
        for pause_seconds in (*_PAUSES_SECONDS, None):
            try:
                return await self._session.post(path, data=ask.body, headers=headers)
            except aiohttp.ClientConnectorError as error:
                raise UpstreamError("nginx does not listen") from error
            except _Lost as error:
                if pause_seconds is None:
                    raise UpstreamError("nginx does not answer") from error
            await asyncio.sleep(pause_seconds)
        raise AssertionError("the loop returns or raises")
