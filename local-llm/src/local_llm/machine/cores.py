"""How many cores this process may really use: affinity and the container's CPU limit, not the machine's size."""

from __future__ import annotations

import os
from pathlib import Path

from local_llm.machine import cgroups


def available() -> int:
    """Cores to compute on, at least 1."""
    cores = len(os.sched_getaffinity(0))
    quota = _cgroup_cores()
    # Rounded, not cut: at 1.5 cores a second thread gains more than the throttling costs.
    return cores if quota is None else max(1, min(cores, round(quota)))


def quota_in(cpu_max: str) -> float | None:
    """Cores in a cgroup v2 `cpu.max` line, `<quota|max> <period>` in microseconds; None for no limit."""
    quota, _, period = cpu_max.strip().partition(" ")
    if quota == "max" or not quota.isdigit() or not period.isdigit():
        return None
    return int(quota) / int(period)


def _cgroup_cores() -> float | None:
    """The tightest limit of all our groups."""
    limits = []
    for directory in cgroups.directories(Path("/"), "cpu"):
        try:
            limit = quota_in((directory / "cpu.max").read_text())
        except OSError:
            continue
        if limit is not None:
            limits.append(limit)
    return min(limits, default=None)
