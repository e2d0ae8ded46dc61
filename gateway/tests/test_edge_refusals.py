"""What nginx says of its refusals is counted, and nothing that comes instead ends the counting."""

import asyncio
import socket
import time
from pathlib import Path

from gateway.edge_refusals import SOCKET, counting_refusals
from gateway.metrics import Metrics


async def test_odd_datagrams_are_nothing(tmp_path: Path) -> None:
    """Empty, long, binary or wrong ones; the next good one counts."""
    metrics = Metrics()
    with counting_refusals(tmp_path, metrics), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nginx:
        nginx.connect(str(tmp_path / SOCKET))
        for odd in (
            b"",
            b"\xff\x00" * 400,
            b"<190>nginx: 4291 openai",
            b"<190>nginx: 429 klingon",
            b": 429 openai\n\n",
        ):
            nginx.send(odd)
        nginx.send(b"<190>Nov 25 01:00:00 nginx: 429 anthropic")
        deadline = time.monotonic() + 5
        while not metrics.registry.get_sample_value(
            "pilotlight_edge_refusals_total", {"status": "429", "dialect": "anthropic"}
        ):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
    counted = [sample.value for series in metrics.edge_refusals.collect() for sample in series.samples]
    assert sum(counted) == 1
