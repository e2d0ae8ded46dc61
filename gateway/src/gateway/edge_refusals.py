"""Counts what nginx refuses at the edge, which never gets here: nginx tells of each by a datagram, in syslog's form."""

import asyncio
import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from gateway.metrics import Metrics

SOCKET = "refusals.sock"
_LARGEST_BYTES = 1024
_REFUSAL = re.compile(rb": (\d{3}) (openai|anthropic)$")  # nginx.conf's log_format `refusal`, behind syslog's head


@contextlib.contextmanager
def counting_refusals(run_dir: Path, metrics: Metrics) -> Iterator[None]:
    """Listen in the running loop while the context is open."""
    path = run_dir / SOCKET
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.setblocking(False)
        listener.bind(str(path))

        def read() -> None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    if refusal := _REFUSAL.search(listener.recv(_LARGEST_BYTES)):
                        metrics.edge_refusals.labels(refusal[1].decode(), refusal[2].decode()).inc()

        loop = asyncio.get_running_loop()
        loop.add_reader(listener, read)
        try:
            yield
        finally:
            loop.remove_reader(listener)
            path.unlink(missing_ok=True)
