"""A service's container asks for its health: exit 0 when it is well. `healthcheck.py claude.sock`.

What does not answer at all, three times in a row, is killed, and the engine starts the container again: an engine by
itself restarts what dies, not what hangs.
"""

import http.client
import os
import signal
import socket
import sys
from pathlib import Path

ANSWER_SECONDS = 3.0
PATIENCE = 3
UNANSWERED = Path("/tmp/unanswered")  # noqa: S108  # a memory-backed directory of this container's own


def main() -> int:
    """Ask once; the exit code."""
    service = http.client.HTTPConnection("service")
    service.sock = socket.socket(socket.AF_UNIX)
    service.sock.settimeout(ANSWER_SECONDS)
    try:
        service.sock.connect(f"/run/pilot-light/{sys.argv[1]}")
        service.request("GET", "/healthz")
        status = service.getresponse().status
    except OSError as error:
        if not isinstance(error, TimeoutError | BlockingIOError) and not any(map(is_stopped, children_of_init())):
            sys.exit(str(error))  # it has not begun to listen, or has just died: it does not hang
        times = int(UNANSWERED.read_text()) + 1 if UNANSWERED.exists() else 1
        UNANSWERED.write_text(str(times))
        if times < PATIENCE:
            sys.exit(f"no answer within {ANSWER_SECONDS:g} s")
        UNANSWERED.unlink()
        for pid in children_of_init():
            os.kill(pid, signal.SIGKILL)
        sys.exit("it hung, and was ended")
    UNANSWERED.unlink(missing_ok=True)
    return 0 if status == 200 else 1


def children_of_init() -> list[int]:
    """The service's process: the child of the container's init. (This program is nobody's child here.)"""
    return [int(child) for child in Path("/proc/1/task/1/children").read_text().split()]


def is_stopped(pid: int) -> bool:
    """Whether the process is frozen by a signal."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


if __name__ == "__main__":
    sys.exit(main())
