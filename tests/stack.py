"""The real stack as a test's subprocess, started by the same program as `make run`."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
READY_SECONDS = 90.0
KEY = "sk-ant-test-0123456789"

T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T], seconds: float = 20.0) -> T:
    """Poll until `condition` is truthy and return its value; fails naming `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Stack:
    """Starts on construction and is on when that returns; `stop` ends what it started and nothing else.

    `environment` holds settings over a clean environment without any key of the developer's own.
    """

    def __init__(self, **environment: str) -> None:
        # Short, because a socket's path has a limit; its own, so that stacks and the developer's .env do not meet.
        self._folder = tempfile.TemporaryDirectory(prefix="pilot-", ignore_cleanup_errors=True)
        self.run_dir = Path(environment.get("PILOT_RUN_DIR") or f"{self._folder.name}/run")
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = clean_environment() | {
            "PILOT_RUN_DIR": str(self.run_dir),
            "PILOT_PORT": str(self.port),
            "PILOT_METRICS_PORT": str(self.metrics_port),
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",  # nobody: a test that means Claude says where it is
            **environment,
        }
        host = urlsplit(self.environment["ANTHROPIC_BASE_URL"]).hostname or ""
        assert host == "127.0.0.1" or host.endswith(".invalid"), "tests never talk to the real API"
        self.process = self.launch()
        self.client = httpx.Client(base_url=self.url, timeout=60.0, trust_env=False)
        try:
            self.announcement = self._wait_until_on()
            # The announcement waits for one brain; tests take the other away.
            wait_for("local is ready", lambda: self.ask_room("local.sock", "/healthz")[0] == 200, READY_SECONDS)
        except BaseException:
            self.stop()
            raise

    def launch(self, **more: str) -> "subprocess.Popen[bytes]":
        """One more `make run` with the same settings."""
        return subprocess.Popen(
            [sys.executable, str(REPOSITORY / "native" / "run.py")],
            env=self.environment | more,
            cwd=self._folder.name,
            stderr=subprocess.PIPE,
        )

    def ask(self, question: str = "What is the capital of France?", **fields: Any) -> httpx.Response:
        """One Chat Completions request through the edge."""
        headers = fields.pop("headers", None)
        body = {"model": "pilot", "messages": [{"role": "user", "content": question}], "max_tokens": 24, **fields}
        return self.client.post("/v1/chat/completions", json=body, headers=headers)

    def status(self) -> dict[str, Any]:
        """`/status`."""
        snapshot: dict[str, Any] = self.client.get("/status").json()
        return snapshot

    def wait_for_backend(self, backend: str, seconds: float = 20.0) -> None:
        """Until `/status` names this backend as the active one, and for Claude the adapter itself says so too.

        `/status` may be a second behind: what opened the breaker just now is not in it yet.
        """
        if backend == "claude":
            wait_for("the adapter's breaker is closed", self._breaker_is_closed, seconds)
        wait_for(f"{backend} is on", lambda: self._active_backend() == backend, seconds)

    def adapter_state(self) -> str | None:
        """The state of claude-adapter's breaker, asked of itself; None when it does not answer."""
        status, body = self.ask_room("claude.sock", "/state")
        state: str | None = json.loads(body)["state"] if status == 200 else None
        return state

    def ask_room(self, name: str, path: str) -> tuple[int, bytes]:
        """GET from a room through its own socket: status and body; (0, b"") when it does not answer within a second.

        Not by httpx: when nobody listens on a Unix socket, it leaves its own one for the garbage collector to warn of.
        """
        with socket.socket(socket.AF_UNIX) as room:
            room.settimeout(1.0)
            try:
                room.connect(str(self.run_dir / name))
                room.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                with room.makefile("rb") as answer:
                    head, _, body = answer.read().partition(b"\r\n\r\n")
            except OSError:
                return 0, b""
        return (int(head.split()[1]), body) if head else (0, b"")

    def _active_backend(self) -> str | None:
        try:
            return self.status().get("active_backend")  # absent in the 503 of a stack without its gateway
        except httpx.TransportError:
            return None

    def _breaker_is_closed(self) -> bool:
        state = self.adapter_state()
        if state == "half_open":  # a real request has to close it
            self.ask("Are you back?", max_tokens=1)
        return state == "closed"

    def metrics(self, room: str) -> str:
        """The room's metrics as Prometheus text, through nginx's metrics port."""
        response = httpx.get(f"http://127.0.0.1:{self.metrics_port}/{room}/metrics", trust_env=False)
        response.raise_for_status()
        return response.text

    def room(self, name: str) -> psutil.Process:
        """The room's process; waits while its supervisor is starting it."""
        words = {"nginx": "nginx: master", "gateway": "-m gateway", "claude-adapter": "-m claude_adapter"}
        mark = words.get(name, "-m local_llm")

        def running() -> psutil.Process | None:
            for process in self.processes():
                with contextlib.suppress(psutil.Error):  # it has just ended
                    if mark in " ".join(process.cmdline()):
                        return process
            return None

        process = wait_for(f"{name} runs", running)
        assert process is not None
        return process

    def supervise(self, order: str, service: str) -> None:
        """`stop` or `start` a service, and wait until that is done."""
        command = [sys.executable, "-m", "supervisor.supervisorctl", "-s", f"unix://{self.run_dir}/supervisor.sock"]
        subprocess.run([*command, order, service], check=True, capture_output=True, timeout=60)

    def processes(self) -> list[psutil.Process]:
        """Every process of this stack, the launcher first."""
        launcher = psutil.Process(self.process.pid)
        return [launcher, *launcher.children(recursive=True)]

    def logs(self) -> str:
        """The ends of all rooms' logs."""
        logs = sorted((self.run_dir / "logs").glob("*"))
        return "".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}\n" for log in logs)

    def stop(self) -> int:
        """Ctrl-C, and wait; returns the exit code. Safe to call twice."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        if self.process.stderr:
            self.process.stderr.close()
        self._folder.cleanup()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self.process.poll() is None:
            print(self.logs())
        self.stop()

    def _wait_until_on(self) -> str:
        stderr = self.process.stderr
        assert stderr is not None
        said = ""
        deadline = time.monotonic() + READY_SECONDS
        while (left := deadline - time.monotonic()) > 0 and select.select([stderr], [], [], left)[0]:
            read = os.read(stderr.fileno(), 4096)
            if not read:
                break
            said += read.decode()
            if line := re.search(r"Pilot Light is on at .*\n", said):
                return line[0].strip()
        raise AssertionError(f"the stack did not come up: {said}\n{self.logs()}")


def clean_environment() -> dict[str, str]:
    """The environment without any of Pilot Light's settings, and above all without a real key."""
    ours = ("PILOT_", "ANTHROPIC_", "CLAUDE_", "LOCAL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
