"""aiohttp under the SDK's client: the pool of connections to Claude, which is left when a kept one proves dead.

The SDK has such a transport too, but exports only a client around it, without socket options or a word on its pool.
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import httpx2

_KEEP_ALIVE_SECONDS = 30.0
_MOST_CONNECTIONS = 1000


class DeadConnectionError(Exception):
    """A kept connection was dead before this request, which can be sent again over a new one.

    No news about Claude: the other side, or something in between, closed it while it was idle (RFC 9112, 9.3.1).
    """


class Transport(httpx2.AsyncBaseTransport):
    """Sends requests over kept connections. Raises `DeadConnectionError`, and aiohttp's own errors."""

    def __init__(self, proxy: str | None, connect_seconds: float) -> None:
        self._proxy = proxy
        self._connect_seconds = connect_seconds
        self._ssl_context = httpx2.create_ssl_context()
        self._pool: _Pool | None = None  # made in the running loop

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request`; returns with the answer's head."""
        if self._pool is None:
            self._pool = self._new_pool()
        pool, attempt = self._pool, _Attempt()
        try:
            return await self._send(request, pool, attempt)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError) as error:
            if not (attempt.reused and _nothing_came(error)):
                raise
            if self._pool is pool:  # whatever else is idle in it may be as dead
                self._pool = self._new_pool()
                await pool.retire()
            raise DeadConnectionError from error

    async def aclose(self) -> None:
        """Close all connections that are not in use by an answer."""
        if self._pool is not None:
            await self._pool.session.close()

    async def _send(self, request: httpx2.Request, pool: "_Pool", attempt: "_Attempt") -> httpx2.Response:
        timeout = request.extensions["timeout"]
        pool.running += 1
        try:
            response = await pool.session.request(
                request.method,
                str(request.url),
                headers=request.headers,
                data=request.content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=timeout["pool"], sock_connect=timeout["connect"], sock_read=timeout["read"]
                ),
                proxy=self._proxy,
                trace_request_ctx=attempt,
            )
        except BaseException:
            await pool.release()
            raise
        return httpx2.Response(
            response.status, headers=response.raw_headers, stream=_Body(response, pool.release), request=request
        )

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
                auto_decompress=False,
                trace_configs=[trace],
            )
        )


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


class _Body(httpx2.AsyncByteStream):
    """An answer's body, undecoded, as it comes."""

    def __init__(self, response: aiohttp.ClientResponse, on_close: Callable[[], Awaitable[None]]) -> None:
        self._response = response
        self._on_close: Callable[[], Awaitable[None]] | None = on_close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.content.iter_any():
            yield chunk

    async def aclose(self) -> None:
        """Give the connection back, or cut it when the body is not over."""
        if self._on_close is None:
            return
        on_close, self._on_close = self._on_close, None
        try:
            self._response.release()
            await self._response.wait_for_close()
        finally:
            await on_close()


async def _note_reuse(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.reused = True


def _nothing_came(error: Exception) -> bool:
    """Whether the connection ended without a byte of an answer, and not in an attempt to open one."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)  # else it is the part of a head that came
    return not isinstance(error, aiohttp.ClientConnectorError)


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
