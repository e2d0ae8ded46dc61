"""How much space is free where the run directory and the history lie, measured when the metrics are read."""

import math
import os
from functools import partial
from pathlib import Path
from typing import Literal

from gateway.metrics import Metrics


def measure_disks(metrics: Metrics, directories: dict[str, Path]) -> None:
    """Have the gauges say it from now on; `directories`: label and path. NaN while a path cannot be looked at."""
    for label, path in directories.items():
        metrics.disk_free.labels(label).set_function(partial(_bytes, path, "f_bavail"))
        metrics.disk_size.labels(label).set_function(partial(_bytes, path, "f_blocks"))


def _bytes(path: Path, blocks: Literal["f_bavail", "f_blocks"]) -> float:
    """Those blocks of its disk (statvfs(3): what an ordinary user may still write; all) in bytes."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return math.nan
    return float(getattr(disk, blocks) * disk.f_frsize)
