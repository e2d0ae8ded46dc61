"""A service on a Unix socket that answers as it is told, by the byte; and what the real ones say."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

STATE: dict[str, Any] = {
    "usable": True,
    "state": "closed",
    "reason": None,
    "detail": "Claude is usable.",
    "model": "claude-sonnet-4-6",
    "key": True,
    "probe": {"result": None, "at": None},
    "models": {},
}
HEALTH: dict[str, Any] = {"ready": True, "model": "SmolLM2-135M", "context_tokens": 8192, "queue_depth": 0}

NO_DOCUMENTS = [
    b"",
    b"null",
    b"[]",
    b"1",
    b'"closed"',
    b"not JSON",
    b"<html>Sign in</html>",
    b'{"state": "closed"',
    b"\xff\xfe{}",
    b'{"state":"\\ud800"}',
    b"[" * 100_000,
    b"{}",
]


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The document with one key missing."""
    return {key: value for key, value in document.items() if key != name}


class OddService:
    """`answer` is the whole HTTP response to whatever is asked; None: it says nothing. `answers`: to certain paths."""

    def __init__(self) -> None:
        self.answer: bytes | None = None
        self.answers: dict[str, bytes | None] = {}
        self.open = 0  # connections
        self.asked: list[str] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []  # headers, by names in lower case, and body

    @contextlib.asynccontextmanager
    async def listening(self, socket: Path) -> AsyncIterator["OddService"]:
        """Listen there while the context is open."""
        server = await asyncio.start_unix_server(self._serve, socket)
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split()[1].decode()
            self.asked.append(path)
            lines = (line.split(":", 1) for line in head.decode("latin-1").split("\r\n") if ":" in line)
            headers = {name.lower(): value.strip() for name, value in lines}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append((headers, body))
            answer = self.answers.get(path, self.answer)
            if answer is None:
                while await reader.read(65_536):  # until the other side gives up
                    pass
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


def response(body: bytes, status: int = 200, content_type: str = "application/json", *headers: str) -> bytes:
    """A whole response that ends its connection."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Connection: close", *headers]).encode() + b"\r\n\r\n" + body
