"""supervisord, which outlives a full disk, and its logs with it.

By itself it closes a log that is due to be changed, fails to write the rest of it, and never opens one again; and it
ends over a line that it can write nowhere, not even that it could not.
"""

from pathlib import Path

from supervisor import supervisord  # type: ignore[import-untyped]  # ships no types
from supervisor.loggers import Handler, RotatingFileHandler  # type: ignore[import-untyped]  # ships no types

_change_log = RotatingFileHandler.doRollover


def change_log_if_possible(handler: RotatingFileHandler) -> None:
    """Go on in the old log when a new one cannot be begun."""
    try:
        _change_log(handler)
    except OSError:
        handler.stream = Path(handler.baseFilename).open("ab")  # noqa: SIM115  # the handler closes it


def lose_the_line(_: Handler) -> None:
    """A line that cannot be written is lost: to say so, on stderr, would need the same disk."""


if __name__ == "__main__":
    RotatingFileHandler.doRollover = change_log_if_possible
    Handler.handleError = lose_the_line
    supervisord.main()
