"""Which attempt comes next. nginx chooses the backend; this only goes around a hanging adapter, and asks once more
for an answer that was lost before the client had any of it."""

from collections.abc import Awaitable, Callable

from gateway.relay.eligibility import Answerer
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


class OnlyClaudeError(Exception):
    """Claude cannot answer, and nobody else may. `reason`: why, when that is known."""

    def __init__(self, reason: str | None = None) -> None:
        super().__init__("only Claude may answer")
        self.reason = reason


async def answer(
    ask: Ask,
    upstream: Upstream,
    status: Status,
    answerer: Answerer,
    *,
    deliver: Callable[[Answer], Awaitable[None]],
    begun: Callable[[], bool],
) -> None:
    """Hand `deliver` the first answer there is of those who may answer.

    Raises NobodyError or OnlyClaudeError; and UpstreamError once `begun` says that the client has part of an answer.
    """
    hung = status.adapter_liveness.hung
    attempts: tuple[Target, ...] = ("local", "local") if hung or answerer == "local" else ("chosen", "local", "local")
    if answerer == "claude":
        attempts = () if hung else ("claude",)
    for target in attempts:
        try:
            async with upstream.asking(ask, target) as response:
                return await deliver(response)
        except UpstreamError as error:
            if begun():  # what has been sent cannot be taken back
                raise
            if not error.again:
                break
    if answerer == "claude":
        raise OnlyClaudeError("adapter_down")
    raise NobodyError(status)
