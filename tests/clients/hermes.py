"""Hermes, the real program, in a home of its own with one of the configurations that docs/hermes.md shows."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from clients import talk
from clients.environments import python_environment
from stack import REPOSITORY, free_port, wait_for

PAGE = (REPOSITORY / "docs" / "hermes.md").read_text()
MESSAGES, CHAT, PATIENT, SIDE_TASKS, HEADERS, FALLBACK = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ADDRESS, ELSEWHERE = "http://127.0.0.1:8080", "http://127.0.0.1:11434"  # as the page has them
ABOUT_ITSELF = ("⚠ tirith", "↻ Resumed", "session_id:")  # a scanner it lacks, and its session
API_KEY = "a-key-of-the-house-0123456789"


class Hermes:
    """A home directory with a configuration."""

    def __init__(self, home: Path, configuration: str) -> None:
        self.home = home
        self.environment = {"HERMES_HOME": str(home), "HOME": str(home)}
        (home / "config.yaml").write_text(configuration)
        self._begun = False

    def ask(self, text: str) -> str:
        """One turn of one session; what it printed as its answer."""
        go_on = ["-c"] if self._begun else []
        self._begun = True
        printed = talk.run(
            "hermes", "hermes", "chat", *go_on, "-Q", "-q", text, cwd=self.home, **self.environment
        )  # fmt: skip
        return "\n".join(line for line in printed.splitlines() if not line.strip().startswith(ABOUT_ITSELF)).strip()

    def session(self, do: str, *arguments: str) -> Any:
        """What programs/hermes_session.py says, run inside this home."""
        program = str(talk.PROGRAMS / "hermes_session.py")
        printed = talk.run("hermes", "python", program, do, *arguments, cwd=self.home, **self.environment)
        return json.loads([line for line in printed.splitlines() if line.startswith("{")][-1])  # beside its log

    def go_on(self) -> None:
        """Let the next turn be one of the session that is there."""
        self._begun = True

    @contextmanager
    def api_server(self) -> Iterator[httpx.Client]:
        """Hermes' own API server, running."""
        port = free_port()
        server = {"API_SERVER_ENABLED": "true", "API_SERVER_KEY": API_KEY, "API_SERVER_PORT": str(port)}
        with (self.home / "gateway.log").open("wb") as log:
            process = subprocess.Popen(
                [str(python_environment("hermes") / "hermes"), "gateway", "run"],
                env=talk.environment() | self.environment | server,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        headers = {"Authorization": f"Bearer {API_KEY}"}
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120, trust_env=False
            ) as client:
                wait_for("Hermes' API server is up", lambda: _healthy(client), 90)
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _healthy(client: httpx.Client) -> bool:
    """Whether it listens."""
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False
