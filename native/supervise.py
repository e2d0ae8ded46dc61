"""supervisord, whose logs outlive a full disk.

Its own handler closes a log that is due to be changed, fails to write the rest of it, and never opens one again.
"""

from pathlib import Path

from supervisor import supervisord  # type: ignore[import-untyped]  # ships no types
from supervisor.loggers import RotatingFileHandler  # type: ignore[import-untyped]  # ships no types

_change_log = RotatingFileHandler.doRollover


def change_log_if_possible(handler: RotatingFileHandler) -> None:
    """Go on in the old log when a new one cannot be begun."""
    try:
        _change_log(handler)
    except OSError:
        handler.stream = Path(handler.baseFilename).open("ab")  # noqa: SIM115  # the handler closes it


if __name__ == "__main__":
    RotatingFileHandler.doRollover = change_log_if_possible
    supervisord.main()
