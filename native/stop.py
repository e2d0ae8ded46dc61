"""`make stop`: end what `make run` started, wherever it was started from."""

import os
import signal
import sys
import time
from pathlib import Path

from run import STOP_DEADLINE_SECONDS, read_environment, remove_sockets, running_pid, say


def main() -> int:
    """Ask the supervisor to stop and wait for it; returns the exit code."""
    run_dir = Path(read_environment()["PILOT_RUN_DIR"])
    pid = running_pid(run_dir)
    if pid is None:
        say("Pilot Light is not running.")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_DEADLINE_SECONDS
    while running_pid(run_dir) == pid and time.monotonic() < deadline:
        time.sleep(0.1)
    if running_pid(run_dir) == pid:
        say(f"Pilot Light has not stopped within {STOP_DEADLINE_SECONDS} s. Its supervisor is process {pid}.")
        return 1
    remove_sockets(run_dir)
    say("Pilot Light is off.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
