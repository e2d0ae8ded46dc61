"""Ends what hangs, so that the supervisor starts it again: a stopped process accepts connections and says nothing.

People are led around a hung service sooner than this (see the gateway's status, and /.liveness in nginx.conf); this is
for the requests that were caught in it, which break off and go elsewhere when it ends, and for the service itself.
"""

import contextlib
import os
import signal
import socket
import sys
import time
import xmlrpc.client
from pathlib import Path

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]  # ships no types

HUNG_SECONDS = 10.0
ANSWER_SECONDS = 1.0
SOCKETS = {"gateway": "gateway.sock", "claude-adapter": "claude.sock", "local-llm": "local.sock"}


class Watchdog:
    """Watches the services of one run directory, children of the supervisor; call `check` about once a second."""

    def __init__(self, run_dir: Path, supervisor_pid: int) -> None:
        self._run_dir = run_dir
        self._supervisor_pid = supervisor_pid
        self._hung_since: dict[str, float] = {}
        self._failing = False

    def check(self) -> None:
        """Look at everybody once. Never raises: who watches must not end because of what it sees."""
        try:
            self._check()
        except Exception as error:  # noqa: BLE001  # it would take the whole stack along
            if not self._failing:
                print(f"The watchdog cannot look: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            self._failing = True
        else:
            self._failing = False

    def _check(self) -> None:
        """Look at every service and every nginx worker once; kill what has hung for HUNG_SECONDS.

        By its silence, or, where there is nobody to ask (a service that has not begun to listen, a worker, which shares
        its port), by its state.
        """
        for service, name in SOCKETS.items():
            if self._too_long(service, hung=not answers(self._run_dir / name)):
                self._kill_service(service)
        for pid in (*children(self._supervisor_pid), *nginx_workers(self._run_dir)):
            if self._too_long(str(pid), hung=is_stopped(pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _too_long(self, who: str, *, hung: bool) -> bool:
        if not hung:
            self._hung_since.pop(who, None)
            return False
        now = time.monotonic()
        if now - self._hung_since.setdefault(who, now) < HUNG_SECONDS:
            return False
        del self._hung_since[who]
        return True

    def _kill_service(self, service: str) -> None:
        transport = SupervisorTransport(None, None, f"unix://{self._run_dir}/supervisor.sock")
        supervisor = xmlrpc.client.ServerProxy("http://127.0.0.1", transport)
        # It may have ended in this moment, or the supervisor itself may be stopping: then all is done.
        with contextlib.suppress(xmlrpc.client.Fault, OSError):
            supervisor.supervisor.signalProcess(service, "KILL")


def answers(path: Path) -> bool:
    """Whether whoever listens on this socket says something within ANSWER_SECONDS. Who is not there does not hang."""
    with socket.socket(socket.AF_UNIX) as service:
        service.settimeout(ANSWER_SECONDS)
        try:
            service.connect(str(path))
            service.sendall(b"GET /healthz HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n")
            service.recv(1)
        except (TimeoutError, BlockingIOError):  # the latter: nobody takes connections out of its queue any more
            return False
        except OSError:
            return True
    return True


def nginx_workers(run_dir: Path) -> list[int]:
    """The process ids of nginx's workers; none while it is not running."""
    try:
        return children(int((run_dir / "nginx.pid").read_text()))
    except (OSError, ValueError):
        return []


def children(pid: int) -> list[int]:
    """The process ids of its children; none when it is gone."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_stopped(pid: int) -> bool:
    """Whether the process is frozen by a signal."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return False
    return after_name.split()[0] == "T"
