"""The connections to Claude: a pool, which is left when a kept one proves dead, and the answers that come over it."""

import socket
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx2
from yarl import URL

_KEEP_ALIVE_SECONDS = 30.0
_MOST_CONNECTIONS = 1000


class DeadConnectionError(Exception):
    """A kept connection was dead before this request, which can be sent again over a new one.

    No news about Claude: the other side, or something in between, closed it while it was idle (RFC 9112, 9.3.1).
    """


class Connections:
    """Sends requests over kept connections. Raises `DeadConnectionError`, and aiohttp's own errors."""

    def __init__(self, proxy: str | None, connect_seconds: float) -> None:
        self._proxy = proxy
        self._connect_seconds = connect_seconds
        self._ssl_context = httpx2.create_ssl_context()
        self._pool: _Pool | None = None  # made in the running loop

    async def request(self, method: str, url: URL, headers: Mapping[str, str], body: bytes) -> "Answer":
        """Send a request; returns with the answer's head, whatever its status. Sets no limit to the wait for it."""
        if self._pool is None:
            self._pool = self._new_pool()
        pool, attempt = self._pool, _Attempt()
        pool.running += 1
        try:
            response = await pool.session.request(
                method, url, headers=headers, data=body or None, allow_redirects=False, trace_request_ctx=attempt
            )
        except BaseException as error:
            await pool.release()
            if not (attempt.reused and _is_dead(error)):
                raise
            if self._pool is pool:  # whatever else is idle in it may be as dead
                self._pool = self._new_pool()
                await pool.retire()
            raise DeadConnectionError from error
        return Answer(response, pool)

    async def close(self) -> None:
        """Close all connections that are not in use by an answer."""
        if self._pool is not None:
            await self._pool.session.close()

    def _new_pool(self) -> "_Pool":
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        connector = aiohttp.TCPConnector(
            ssl=self._ssl_context,
            limit=_MOST_CONNECTIONS,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            socket_factory=_socket_factory(self._connect_seconds),
        )
        return _Pool(
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(connect=self._connect_seconds, sock_connect=self._connect_seconds),
                proxy=self._proxy,
                trace_configs=[trace],
            )
        )


class Answer:
    """An answer that has begun. Its owner must `close()` it."""

    __slots__ = ("_pool", "_response", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, pool: "_Pool") -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers  # found in any case
        self._response = response
        self._pool: _Pool | None = pool

    @property
    def header_lines(self) -> list[tuple[bytes, bytes]]:
        """As they came."""
        return list(self._response.raw_headers)

    async def read(self) -> bytes:
        """What has come by now, as it comes; empty at the end. Raises aiohttp's own errors.

        We ask for no compression, and what a proxy has compressed all the same is decoded.
        """
        return await self._response.content.readany()

    async def read_all(self) -> bytes:
        """All that is left."""
        return await self._response.read()

    async def close(self) -> None:
        """Give the connection back, or cut it when the body is not over."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            self._response.release()
            await self._response.wait_for_close()
        finally:
            await pool.release()


class SdkTransport(httpx2.AsyncBaseTransport):
    """The same connections for the SDK, whose own transport needs twice the CPU and has no word on its pool."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request`; returns with the answer's head."""
        url = URL(str(request.url), encoded=True)
        answer = await self._connections.request(request.method, url, request.headers, request.content)
        # The body is decoded already.
        headers = [(name, value) for name, value in answer.header_lines if name.lower() != b"content-encoding"]
        return httpx2.Response(answer.status, headers=headers, stream=_SdkBody(answer), request=request)


class _SdkBody(httpx2.AsyncByteStream):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._answer.read():
            yield chunk

    async def aclose(self) -> None:
        await self._answer.close()


class _Attempt:
    """One try to send a request; `reused` once it was given a kept connection."""

    __slots__ = ("reused",)

    def __init__(self) -> None:
        self.reused = False


class _Pool:
    """Connections, and how many requests are using them. Once retired it closes with the last of these."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.running = 0
        self._retired = False

    async def retire(self) -> None:
        """No request will be given to this pool again."""
        self._retired = True
        await self._close_if_done()

    async def release(self) -> None:
        """One of the running requests is over."""
        self.running -= 1
        await self._close_if_done()

    async def _close_if_done(self) -> None:
        if self._retired and not self.running:
            await self.session.close()


async def _note_reuse(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.reused = True


def _is_dead(error: BaseException) -> bool:
    """Whether a connection ended without a byte of an answer, and not in an attempt to open one."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)  # else it is the part of a head that came
    return isinstance(error, aiohttp.ClientOSError | ConnectionError) and not isinstance(
        error, aiohttp.ClientConnectorError
    )


def _socket_factory(connect_seconds: float) -> Any:
    def make(address: tuple[Any, ...]) -> socket.socket:
        sock = socket.socket(*address[:3])
        sock.setblocking(False)
        # A connection kept alive from before a black hole would otherwise take the first request down with it:
        # what is not acknowledged within the connect timeout counts as no connection. Linux only.
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(connect_seconds * 1000))
        return sock

    return make
