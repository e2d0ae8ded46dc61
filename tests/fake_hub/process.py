"""The stand-in as a subprocess."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx


class FakeHub:
    """Starts on construction and is ready when that returns; ends with this object or with the process that made it."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fake_hub", "--root", str(root)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said.startswith("fake_hub listening "), f"the stand-in did not start: {said}"
        self.url = f"http://127.0.0.1:{said.split()[-1]}"
        self._client = httpx.Client(base_url=self.url, trust_env=False, timeout=20)

    def fault(self, **fields: Any) -> None:
        """From now on, these faults and no others; forgets the log."""
        self._client.post("/fault", json=fields).raise_for_status()

    def log(self) -> list[dict[str, Any]]:
        """The requests since then."""
        requests: list[dict[str, Any]] = self._client.get("/log").json()
        return requests

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
