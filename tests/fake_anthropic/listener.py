"""The API's listening socket: open, closed (connection refused), or a black hole (no packet comes back)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket
import struct
from collections.abc import Callable

from aiohttp import web

DEADLINE_SECONDS = 3.0
_BACKLOG = 1024
_NO_LINGER = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """Abort with a RST instead of a FIN."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


class Listener:
    """Holds its port from the first `open` on, also while it is closed, so that no other program is given it."""

    def __init__(self, server: web.Server, host: str, port: int, on_accept: Callable[[], None]) -> None:
        self._server = server
        self._host = host
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.port = port
        self._on_accept = on_accept
        self._listening: asyncio.Server | None = None
        self._hole: list[socket.socket] = []
        self._reservation: socket.socket | None = None
        self.state = "closed"  # closed | open | black_hole

    @property
    def connections_open(self) -> int:
        return len(self._server.connections)

    async def open(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        if self.state == "open":
            return
        await self._stop_listening()
        listening = self._bound()
        try:
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
        listening.setblocking(False)
        self._listening = await asyncio.get_running_loop().create_server(self._accept, sock=listening, backlog=_BACKLOG)
        self.state = "open"

    async def refuse(self) -> None:
        """Close the socket and reset every connection; returns once a connect is really refused."""
        if self.state == "closed":
            return
        self.state = "closed"  # before the resets: cancelled handlers look here for whose doing it was
        await self._stop_listening()
        self.reset_connections()
        await self._until_refused()

    async def black_hole(self) -> None:
        """Connects get no answer at all: the queue of a socket that nobody accepts from is full (Linux drops the SYN).

        Connections that exist stay, unanswered."""
        if self.state == "black_hole":
            return
        self.state = "black_hole"
        await self._stop_listening()
        await self._until_refused()
        hole = self._bound()
        self._hole.append(hole)
        hole.listen(0)
        while True:
            filler = socket.socket(self._family, socket.SOCK_STREAM)
            filler.setblocking(False)
            self._hole.append(filler)
            if filler.connect_ex((self._host, self.port)) not in (0, errno.EINPROGRESS):
                break
            # On loopback a connect that is going to succeed has done so at once; 50 ms is for a busy machine.
            if not select.select([], [filler], [], 0.05)[1]:
                break

    def reset_connections(self) -> None:
        for connection in self._server.connections:
            if connection.transport is not None:
                reset(connection.transport)

    async def close(self) -> None:
        """End for good."""
        await self.refuse()
        if self._reservation is not None:
            self._reservation.close()
            self._reservation = None

    def _accept(self) -> asyncio.Protocol:
        self._on_accept()
        return self._server()

    def _bound(self) -> socket.socket:
        # Linux lets a second socket bind while the first does not listen, when both have SO_REUSEADDR: so the
        # reservation can stay, and another program that listens on the port is still an error here.
        bound = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, self.port))
            self.port = bound.getsockname()[1]
            if self._reservation is None:
                self._reservation = socket.socket(self._family, socket.SOCK_STREAM)
                self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self._reservation.bind((self._host, self.port))
        except OSError:
            bound.close()
            raise
        return bound

    async def _stop_listening(self) -> None:
        for held in self._hole:
            held.close()
        self._hole.clear()
        if self._listening is not None:
            self._listening.close()
            self._listening = None
            await asyncio.sleep(0)  # uvloop closes the socket on its next turn

    async def _until_refused(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEADLINE_SECONDS
        while loop.time() < deadline:
            with socket.socket(self._family, socket.SOCK_STREAM) as attempt:
                attempt.setblocking(False)
                try:
                    async with asyncio.timeout(0.2):
                        await loop.sock_connect(attempt, (self._host, self.port))
                except ConnectionRefusedError:
                    return
                except (TimeoutError, OSError):
                    pass
            await asyncio.sleep(0.005)
        raise RuntimeError(f"port {self.port} still accepts connections {DEADLINE_SECONDS} s after it was closed")
