"""A service that hangs: its process accepts connections and says nothing; who waits for it would wait for ever."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator


class HungError(Exception):
    """The service has stopped answering while a request waited for it; its name is the message."""


class Liveness:
    """Knows whether one service hangs, poll by poll, and frees those who wait for it."""

    def __init__(self, service: str, hung_after_seconds: float) -> None:
        self.hung = False
        self._service = service
        self._hung_after_seconds = hung_after_seconds
        self._answered_at = time.monotonic()
        self._waiting: dict[object, Callable[[], None]] = {}

    @property
    def silent_seconds(self) -> float:
        """How long ago it answered a poll."""
        return time.monotonic() - self._answered_at

    def answered(self) -> None:
        """It answered the poll, or refused at once: a dead one does not hang, and nginx moves on from it by itself."""
        self._answered_at = time.monotonic()
        self.hung = False

    def unanswered(self, *, silent: bool = True) -> None:
        """It left the poll without a usable answer; for long enough, and nobody new is sent to it.

        Who waits for it already is freed only when it is `silent`: one that says odd things may still answer.
        """
        self.hung = self.silent_seconds >= self._hung_after_seconds
        if self.hung and silent:
            for abandon in tuple(self._waiting.values()):
                abandon()

    @contextlib.contextmanager
    def abandoning(self, waits: Callable[[], bool] = lambda: True) -> Iterator[None]:
        """Raises HungError inside the context, wherever it waits, when the service is found to hang.

        `waits` says whether the context does wait for this service, when that is not certain.
        """
        task = asyncio.current_task()
        mine = object()
        hung = False

        def abandon() -> None:
            nonlocal hung
            if not hung and task and waits():
                hung = True
                task.cancel()

        self._waiting[mine] = abandon
        try:
            yield
        except asyncio.CancelledError:
            if not hung or not task or task.uncancel() > 0:  # the client has left
                raise
            raise HungError(self._service) from None
        finally:
            del self._waiting[mine]
