"""A running compose project, as its tests see it."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
from testcontainers.compose import DockerCompose

from stack import wait_for

SERVICES = ("nginx", "gateway", "claude-adapter", "local-llm", "prometheus")


class Project:
    """`anthropic` is the stand-in's control port; `key_file` is what the adapter reads its key from."""

    def __init__(
        self, compose: DockerCompose, anthropic: httpx.Client, key_file: Path, port: int, metrics_port: int
    ) -> None:
        self.compose = compose
        self.anthropic = anthropic
        self.key_file = key_file
        self.metrics_port = metrics_port
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)

    def ask(self, question: str = "What is the capital of France?", **fields: Any) -> httpx.Response:
        """One Chat Completions request through the published port."""
        body = {"model": "pilot", "messages": [{"role": "user", "content": question}], "max_tokens": 16, **fields}
        return self.client.post("/v1/chat/completions", json=body)

    def write_key(self, key: str) -> None:
        """As an editor saves: a new file takes the old one's place."""
        draft = self.key_file.with_suffix(".new")
        draft.write_text(key)
        draft.chmod(0o644)
        draft.replace(self.key_file)

    def wait_for_brain(self, brain: str, seconds: float = 30) -> None:
        """Until this brain answers."""

        wait_for(f"{brain} answers", lambda: self._served_by() == brain, seconds)

    def wait_for_both_brains(self) -> None:
        """Until each brain answers when it is asked for. The engine's health lags behind what has just been killed."""
        wait_for("local answers", lambda: self._served_by(model="local") == "local", 90)
        wait_for("claude answers", lambda: self._served_by() == "claude", 60)

    def _served_by(self, **fields: Any) -> str | None:
        try:
            served_by: str | None = self.ask(max_tokens=1, **fields).headers.get("X-Served-By")
        except httpx.HTTPError:
            return None
        return served_by

    def inspect(self, service: str) -> dict[str, Any]:
        """`docker inspect` of the service's container."""
        container = self.compose_command("ps", "--all", "--quiet", service).strip()
        command = ["docker", "inspect", container]
        found: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return found[0]

    def compose_command(self, *arguments: str) -> str:
        """`docker compose …` on this project; returns what it printed."""
        command = [*self.compose.docker_compose_command(), *arguments]
        done = subprocess.run(
            command, cwd=self.compose.context, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def kill(self, service: str) -> None:
        """SIGKILL from outside, as the kernel does when memory runs out: the engine restarts what dies so."""
        pid = self.inspect(service)["State"]["Pid"]
        os.kill(pid, signal.SIGKILL)
        wait_for(f"{service} is started again", lambda: self.inspect(service)["State"]["Pid"] not in (0, pid), 60)

    def image(self, service: str) -> str:
        """The name of the service's image, in this run alone."""
        return f"{os.environ['COMPOSE_PROJECT_NAME']}/{service}"

    def health(self, service: str) -> str:
        """healthy, unhealthy or starting."""
        state = self.inspect(service)["State"]
        health: str = state["Health"]["Status"] if state["Running"] else "down"
        return health
