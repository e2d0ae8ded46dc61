"""The control groups that limit this process, from its own up to the root of those that can be seen. Linux only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def directories(root: Path, controller: str) -> Iterator[Path]:
    """Where limits of this controller may stand, cgroup v2's and v1's; `root` is where proc and sys lie."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    own = {line.split(":", 2)[1]: line.split(":", 2)[2].lstrip("/") for line in lines if line.count(":") >= 2}
    mount = root / "sys/fs/cgroup"
    for place, path in (
        (mount, own.get("")),
        (mount / "unified", own.get("")),
        (mount / controller, own.get(controller)),
    ):
        # In a container the path may be the host's: what we see then is our own group, mounted as the root.
        directory = place / (path or "")
        for each in (directory, *directory.parents):
            if not each.is_relative_to(place):
                break
            yield each
