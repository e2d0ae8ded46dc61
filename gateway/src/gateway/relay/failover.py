"""Which attempt comes next. nginx chooses the backend; this only goes around a hanging adapter, and asks once more
for an answer that was lost before the client had any of it."""

from collections.abc import Awaitable, Callable

from gateway.relay.upstream import Answer, Ask, Target, Upstream, UpstreamError
from gateway.status.poller import Status

RETRY_AFTER_SECONDS = 5


class NobodyError(Exception):
    """Nobody can answer: what is wrong with each backend, and when to try again."""

    def __init__(self, status: Status, retry_after_seconds: int | None = None, local_says: str | None = None) -> None:
        self.retry_after_seconds = retry_after_seconds or RETRY_AFTER_SECONDS
        local = local_says or ("It failed." if status.local.ready else "It is not running, or hangs.")
        super().__init__(
            f"Nobody can answer right now. Claude: {status.claude.detail} The local model: {local} "
            f"Try again in {self.retry_after_seconds} seconds."
        )


async def answer(
    ask: Ask,
    upstream: Upstream,
    status: Status,
    *,
    by_name: bool,
    deliver: Callable[[Answer], Awaitable[None]],
    begun: Callable[[], bool],
) -> None:
    """Hand `deliver` the first answer there is; `by_name`: the client asks for the local model.

    Raises NobodyError; and UpstreamError once `begun` says that the client has part of an answer.
    """
    around = by_name or status.adapter_liveness.hung
    attempts: tuple[Target, ...] = ("local", "local") if around else ("chosen", "local", "local")
    for target in attempts:
        try:
            async with upstream.asking(ask, target) as response:
                return await deliver(response)
        except UpstreamError as error:
            if begun():  # what has been sent cannot be taken back
                raise
            if not error.again:
                break
    raise NobodyError(status)
