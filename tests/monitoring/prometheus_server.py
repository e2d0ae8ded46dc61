"""Debian's Prometheus as a test's subprocess, with the repository's configuration and a shorter patience."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest

from stack import REPOSITORY, free_port, wait_for

CONFIGURATION = REPOSITORY / "prometheus"
WINDOW_SECONDS = 10


def needed(program: str) -> str:
    """The program's path. Skips the test when it is missing; in CI that is a failure."""
    if path := shutil.which(program):
        return path
    sentence = f"{program} is not installed: apt-get install --no-install-recommends prometheus"
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


class Prometheus:
    """Scrapes the rooms at `metrics_port` every second. Two minutes of a rule are ten seconds, its `for` one."""

    def __init__(self, metrics_port: int) -> None:
        program = needed("prometheus")
        self._folder = tempfile.TemporaryDirectory(prefix="pilot-prometheus-", ignore_cleanup_errors=True)
        folder, port = Path(self._folder.name), free_port()
        configuration = (CONFIGURATION / "prometheus.yml").read_text()
        for ours, the_tests in (
            ("nginx:9145", f"127.0.0.1:{metrics_port}"),
            ("localhost:9090", f"127.0.0.1:{port}"),
            ("_interval: 5s", "_interval: 1s"),
            ("scrape_timeout: 4s", "scrape_timeout: 900ms"),
        ):
            assert ours in configuration
            configuration = configuration.replace(ours, the_tests)
        (folder / "prometheus.yml").write_text(configuration)
        (folder / "rules").mkdir()
        for rules in (CONFIGURATION / "rules").glob("*.yml"):
            text = re.sub(r"\bfor: \w+", "for: 1s", rules.read_text()).replace("[2m]", f"[{WINDOW_SECONDS}s]")
            (folder / "rules" / rules.name).write_text(text)
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10.0, trust_env=False)
        try:
            wait_for("Prometheus is ready", self._ready)
        except BaseException:
            print((folder / "log").read_text())
            self.stop()
            raise

    def get(self, path: str, **parameters: Any) -> Any:
        """The `data` of an API answer."""
        answer = self._client.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """An instant query's series, now."""
        found: list[dict[str, Any]] = self.get("query", query=expr)["result"]
        return found

    def query_range(self, expr: str, start: float, end: float) -> list[dict[str, Any]]:
        """A range query's series, a point for each second."""
        found: list[dict[str, Any]] = self.get("query_range", query=expr, start=start, end=end, step=1)["result"]
        return found

    def firing(self) -> dict[str, dict[str, str]]:
        """The annotations of what fires now, by the alert's name."""
        alerts = self.get("alerts")["alerts"]
        return {a["labels"]["alertname"]: a["annotations"] for a in alerts if a["state"] == "firing"}

    def wait_until_firing(self, alert: str) -> dict[str, str]:
        """Its annotations, once it fires."""
        wait_for(f"{alert} fires", lambda: alert in self.firing(), 30)
        return self.firing()[alert]

    def wait_until_resolved(self, alert: str) -> None:
        """Until it does not fire any more."""
        wait_for(f"{alert} resolves", lambda: alert not in self.firing(), 30)

    def wait_for_scrape(self) -> None:
        """Until every target has been scraped once more."""
        before = max(self._scraped())
        wait_for("the next scrape", lambda: min(self._scraped()) > before)

    def stop(self) -> None:
        """End this process only; safe to call twice."""
        self._client.close()
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)
        self._log.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ready(self) -> bool:
        assert self._process.poll() is None, "Prometheus ended"
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _scraped(self) -> list[float]:
        return [float(series["value"][1]) for series in self.query("timestamp(up)")]
