"""The client's side of a request: its body, and its leaving."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import Receive

from claude_adapter.errors import BadRequestError

_LARGEST_BODY_BYTES = 32 * 1024 * 1024  # Claude's own limit


class ClientGoneError(Exception):
    """The client has left: nobody is there to answer."""


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises `ClientGoneError`, and `BadRequestError` for one that is too large."""
    parts: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        size_bytes += len(part)
        if size_bytes > _LARGEST_BODY_BYTES:
            raise BadRequestError("The request is larger than 32 MB, more than Claude accepts.", status=413)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


@asynccontextmanager
async def watching_client(receive: Receive, is_complete: Callable[[], bool]) -> AsyncIterator[None]:
    """Turn the client's leaving into `ClientGoneError`, wherever the block happens to wait.

    `is_complete`: the last byte has been handed to the server, which then says "disconnect" too.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # for mypy: a coroutine runs in a task
    gone = False

    async def cancel_when_gone(waiting: asyncio.Task[Any]) -> None:
        nonlocal gone
        message = await receive()
        if message["type"] == "http.disconnect" and not is_complete():
            gone = True
            waiting.cancel()

    watcher = asyncio.create_task(cancel_when_gone(task))
    try:
        yield
    except asyncio.CancelledError:
        if gone:
            task.uncancel()
            raise ClientGoneError from None
        raise
    finally:
        watcher.cancel()
