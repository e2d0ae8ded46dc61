"""The room on the disks is what the metrics say of it."""

import math
import os
from pathlib import Path

from gateway.disk import measure_disks
from gateway.metrics import Metrics


def test_the_gauges_say_what_is_free_now(tmp_path: Path) -> None:
    """In bytes, at each reading; a directory that is gone is no number, and spoils no other metric."""
    metrics = Metrics()
    here, gone = tmp_path / "here", tmp_path / "gone"
    here.mkdir()
    measure_disks(metrics, {"run": here, "state": gone})
    disk = os.statvfs(here)

    def read(name: str, directory: str) -> float:
        value = metrics.registry.get_sample_value(f"pilotlight_disk_{name}_bytes", {"directory": directory})
        assert value is not None
        return value

    assert read("size", "run") == disk.f_blocks * disk.f_frsize
    assert 0 <= read("free", "run") < read("size", "run")
    assert math.isnan(read("free", "state"))
    gone.mkdir()
    assert read("size", "state") == read("size", "run")
