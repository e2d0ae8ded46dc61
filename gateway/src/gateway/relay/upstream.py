"""The way to the brains: nginx's upstream, over its Unix socket. It chooses; this module only asks."""

import asyncio
from pathlib import Path

import aiohttp

# A stream may be silent while Claude thinks; the clocks that decide are the adapter's.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=2)

# An nginx worker that dies takes many pooled connections with it; by then the pool has noticed.
_PAUSES_SECONDS = (0.01, 0.1)

_LOOK_TIMEOUT = aiohttp.ClientTimeout(total=2.5)  # Claude Code waits three seconds for a list of models
_LOOK_HEADERS = {"anthropic-version": "2023-06-01"}


class UnreachableError(Exception):
    """nginx's upstream socket does not answer."""


class Brains:
    """A pool of connections to `brains.sock`."""

    def __init__(self, socket: Path) -> None:
        self._session = aiohttp.ClientSession(
            "http://brains",
            connector=aiohttp.UnixConnector(str(socket), limit=0),
            timeout=_TIMEOUT,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )

    async def ask(
        self, path: str, body: bytes, request_id: str, headers: list[tuple[str, str]]
    ) -> aiohttp.ClientResponse:
        """POST a JSON `body` with these `headers` beside our own; returns once the answer's head is there.

        The caller closes the response.

        Raises UnreachableError when no answer begins. A connection that was lost is tried again: nothing has come back,
        and the brains' tries may be repeated (see nginx.conf).
        """
        headers = [*headers, ("Content-Type", "application/json"), ("X-Request-Id", request_id)]
        for pause_seconds in (*_PAUSES_SECONDS, None):
            try:
                return await self._session.post(path, data=body, headers=headers)
            except aiohttp.ClientConnectorError as error:
                raise UnreachableError(str(error)) from error
            except (aiohttp.ClientError, ConnectionError) as error:
                if pause_seconds is None:
                    raise UnreachableError(str(error)) from error
            await asyncio.sleep(pause_seconds)
        raise AssertionError("the loop returns or raises")

    async def look(self, path: str) -> aiohttp.ClientResponse:
        """GET what costs nothing. Raises UnreachableError, and TimeoutError when it takes longer than a look may."""
        try:
            return await self._session.get(path, headers=_LOOK_HEADERS, timeout=_LOOK_TIMEOUT)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UnreachableError(str(error)) from error

    async def close(self) -> None:
        """Close the pool."""
        await self._session.close()
