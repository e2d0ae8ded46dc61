"""What a service says of itself, asked over its Unix socket again and again, whatever it may answer."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import aiohttp

from gateway.status.contracts import ContractError
from gateway.status.incident import Incident
from gateway.status.liveness import Liveness

_log = logging.getLogger(__name__)

_ANSWER_SECONDS = 1.0
_LARGEST_BYTES = 1 << 20

T = TypeVar("T")
View = TypeVar("View", bound=object)


class Polled(Generic[View]):
    """The `view` that `read` makes of the answers at `path`.

    `down` while nobody listens; the last one while an answer is missing or odd, and `hung` once that lasts.
    """

    def __init__(
        self,
        name: str,
        socket: Path,
        path: str,
        read: Callable[[int, bytes], View],
        liveness: Liveness,
        *,
        down: View,
        hung: View,
    ) -> None:
        self.view = down
        self._name, self._path, self._read = name, path, read
        self._liveness = liveness
        self._down, self._hung = down, hung
        self._poll_fails = Incident(_log, f"{name} answers {path} as it should again.")
        self._ask_fails = Incident(_log, f"{name} answers questions about a request as it should again.")
        self._session = aiohttp.ClientSession(
            f"http://{name}",
            connector=aiohttp.UnixConnector(str(socket)),
            timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS),
        )

    async def poll(self) -> None:
        """Ask once. Never raises."""
        try:
            view = await self._get(self._path, self._read)
        except aiohttp.ClientConnectorError:
            self._liveness.answered()
            self.view = self._down
        except Exception as error:  # noqa: BLE001  # whatever it answers, the next poll comes
            self._liveness.unanswered(silent=not isinstance(error, ContractError))
            self._poll_fails.begin(f"{self._name} does not answer {self._path} as it should: {describe(error)}.")
            if self._liveness.hung:
                self.view = self._hung
        else:
            self._liveness.answered()
            self.view = view
            self._poll_fails.end()

    async def ask(self, path: str, read: Callable[[int, bytes], T]) -> T | None:
        """What `read` makes of the answer at `path`; None when it cannot be asked. Never raises."""
        try:
            found = await self._get(path, read)
        except aiohttp.ClientConnectorError:
            return None
        except Exception as error:  # noqa: BLE001  # the person's answer is worth more than this one
            self._ask_fails.begin(f"{self._name} does not answer about a request as it should: {describe(error)}.")
            return None
        self._ask_fails.end()
        return found

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()

    async def _get(self, path: str, read: Callable[[int, bytes], T]) -> T:
        async with self._session.get(path, allow_redirects=False) as response:
            body = bytearray()
            async for part in response.content.iter_any():
                body += part
                if len(body) > _LARGEST_BYTES:
                    raise ContractError(f"it is over {_LARGEST_BYTES} bytes")
            return read(response.status, bytes(body))


def describe(error: Exception) -> str:
    """For the log: what is wrong with a contract, or the kind of error. Nothing of what was answered."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_ANSWER_SECONDS:g} s"
    return str(error) if isinstance(error, ContractError) else type(error).__name__
