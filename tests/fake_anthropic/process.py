"""The stand-in as a subprocess, for tests and benchmarks."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

READY_SECONDS = 20.0
_READY = re.compile(r"fake_anthropic listening api=(\d+) control=(\d+)\n")


class FakeAnthropic:
    """Starts on construction and is ready when that returns. `stop` ends this process only; it also ends when the
    process that started it dies. Raises RuntimeError, with what it wrote, when it does not come up."""

    def __init__(self, port: int = 0, control_port: int = 0, host: str = "127.0.0.1") -> None:
        folder = Path(__file__).resolve().parent.parent
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "fake_anthropic", "--end-with-stdin", "--host", host),
                *("--port", str(port), "--control-port", str(control_port)),
            ],
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self._control = httpx.Client(timeout=10.0, trust_env=False)
        try:
            self.port, self.control_port = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        self.base_url = f"http://{host}:{self.port}"
        self.control_url = f"http://{host}:{self.control_port}"
        self._control.base_url = httpx.URL(self.control_url)

    @property
    def pid(self) -> int:
        return self._process.pid

    def script(self, **fields: Any) -> dict[str, Any]:
        """Set the behaviour; the fields are in README.md. Raises ValueError with the reason when it is refused."""
        reply = self._control.post("/script", json=fields)
        if reply.status_code == 400:
            raise ValueError(reply.json()["error"])
        return self._json(reply)

    def scripts(self, *each: dict[str, Any]) -> None:
        """Set behaviours that hold one after another, each for its `times`; then the default."""
        self._json(self._control.post("/script", json=list(each)))

    def reset(self) -> None:
        """Back to the default behaviour, listener open, default keys."""
        self._json(self._control.post("/reset"))

    def requests(self) -> list[dict[str, Any]]:
        """Recent requests, oldest first."""
        found: list[dict[str, Any]] = self._json(self._control.get("/requests"))["requests"]
        return found

    def clear_requests(self) -> None:
        """Forget the requests; counts stay."""
        self._json(self._control.delete("/requests"))

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and what is open now."""
        return self._json(self._control.get("/stats"))

    def stop(self) -> None:
        """End the process; safe to call twice."""
        self._control.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @staticmethod
    def _json(reply: httpx.Response) -> dict[str, Any]:
        reply.raise_for_status()
        data: dict[str, Any] = reply.json()
        return data

    def _wait_until_ready(self) -> tuple[int, int]:
        output = self._process.stdout
        assert output is not None
        deadline = time.monotonic() + READY_SECONDS
        said = ""
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([output], [], [], left)[0]:
                break
            if not (read := os.read(output.fileno(), 4096)):
                break
            said += read.decode()
            if ready := _READY.search(said):
                return int(ready[1]), int(ready[2])
        self._errors.seek(0)
        raise RuntimeError(f"fake_anthropic did not start: {said}{self._errors.read().decode(errors='replace')}")
