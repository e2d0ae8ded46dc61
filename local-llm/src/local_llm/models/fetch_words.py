"""What a person at a terminal reads: which models there are, and how far a download is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm  # type: ignore[import-untyped]  # as it is

from local_llm.models import catalogue

_SECONDS_BETWEEN_LINES = 5.0


class Lines(tqdm):  # type: ignore[misc]  # untyped, as above
    """Progress for a log: a line now and then, instead of one that is written over."""

    disable: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("name", None)  # the hub's own
        super().__init__(*args, **kwargs | {"mininterval": _SECONDS_BETWEEN_LINES, "disable": False})

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """One line."""
        shown = self.format_dict
        rate = (self.n - shown["initial"]) / max(shown["elapsed"], 0.001)
        if self.n > shown["initial"]:
            say(f"  {megabytes(self.n)} of {megabytes(self.total or 0)}, {rate / 1e6:.1f} MB/s")
        return True

    def close(self) -> None:
        """How far it came."""
        if not self.disable:
            self.display()
        self.disable = True


def listing(directory: Path) -> str:
    """The catalogue with what is present, a line each."""
    lines = [f"Models, in {directory.resolve()}:"]
    for entry in catalogue.entries():
        path = directory / entry.file
        if entry.package:
            state = "embedded"
        elif path.is_file():
            state = "present" if path.stat().st_size == entry.size_bytes else "present, but not the known size"
        else:
            state = f"make model NAME={entry.name}"
        size = f"{megabytes(entry.size_bytes):>8}  RAM {megabytes(entry.ram_mb * 1_000_000):>8}"
        lines.append(f"  {entry.name:<16} {entry.title:<32} {size}  {state}")
    known = {entry.file for entry in catalogue.entries()}
    others = sorted(path.name for path in directory.glob("*.gguf") if path.name not in known)
    lines += [f"  {name:<49} {megabytes((directory / name).stat().st_size):>8}  present" for name in others]
    return "\n".join(lines)


def megabytes(size_bytes: float) -> str:
    """As a person reads it."""
    return f"{size_bytes / 1e6:.0f} MB"


def say(sentence: str) -> None:
    """For the person at the terminal."""
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201  # a program that talks to a person
