"""The client's side of a request: its body, and its leaving."""

import asyncio
from typing import Self

from starlette.types import Receive


class ClientWatch:
    """Cancels the body of this context when the client disconnects: its work must stop on every backend."""

    def __init__(self, receive: Receive) -> None:
        self.gone = False
        self._receive = receive

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._watcher.cancel()
        if not (self.gone and kind is asyncio.CancelledError and self._task):
            return False
        self._task.uncancel()
        return True

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._task:
            self._task.cancel()


async def read_body(receive: Receive) -> bytes | None:
    """The whole body (nginx has bounded it), or None when the client left while sending it."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
