"""How much room there is where the run directory and the history lie, measured when the metrics are read."""

import math
import os
from functools import partial
from pathlib import Path

from gateway.metrics import Metrics


def measure_disks(metrics: Metrics, directories: dict[str, Path]) -> None:
    """Have the gauges say it from now on; `directories`: label and path. NaN while a path cannot be looked at."""
    for label, path in directories.items():
        metrics.disk_free.labels(label).set_function(partial(_free_bytes, path))
        metrics.disk_size.labels(label).set_function(partial(_size_bytes, path))


def _free_bytes(path: Path) -> float:
    """What an ordinary user may still write there (statvfs(3))."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return math.nan
    return float(disk.f_bavail * disk.f_frsize)


def _size_bytes(path: Path) -> float:
    try:
        disk = os.statvfs(path)
    except OSError:
        return math.nan
    return float(disk.f_blocks * disk.f_frsize)
