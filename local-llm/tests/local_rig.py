"""A real local-llm on a real Unix socket, with the real weights, and what tests ask of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

CHAT = "/v1/chat/completions"
MODEL = "SmolLM2-135M-Instruct"
CAPITAL_QUESTION = "What is the capital of France?"
CAPITAL: dict[str, Any] = {"messages": [{"role": "user", "content": CAPITAL_QUESTION}], "temperature": 0}
STORY = "Once there was a lamp keeper who walked along the shore and counted the boats that came home. "
START_SECONDS = 90


class Server:
    """A running local-llm."""

    def __init__(self, process: subprocess.Popen[bytes], run_dir: Path) -> None:
        self.process = process
        self.socket_path = str(run_dir / "local.sock")

    def client(self) -> httpx.AsyncClient:
        """A client on its socket."""
        return httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=self.socket_path), base_url="http://local", timeout=120
        )

    def get(self, path: str) -> httpx.Response:
        """One blocking GET."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=self.socket_path), base_url="http://local") as client:
            return client.get(path, timeout=5)

    def metric(self, name: str, **labels: str) -> float:
        """A sample's value now."""
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        raise AssertionError(f"no metric {name} {labels}")

    def ready(self) -> bool:
        """Whether it answers yet."""
        assert self.process.poll() is None, "local-llm ended at its start"
        # Not by httpx alone: it leaves its socket open when nobody listens yet.
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(self.socket_path) != 0:
                return False
        return self.get("/healthz").status_code == 200


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition; fail when its time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)  # a poll, not a wait


@contextmanager
def running(**environment: str) -> Iterator[Server]:
    """A server with these settings over a clean environment; its log is judged when it ends."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LOCAL_", "PILOT_"))}
    with tempfile.TemporaryDirectory(prefix="ll") as run_dir:  # not tmp_path: a socket's path must be short
        with (Path(run_dir) / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "local_llm"],
                env=clean | {"PILOT_RUN_DIR": run_dir, "LOCAL_MODELS": f"{run_dir}/models"} | environment,
                stderr=log,
                stdout=log,
            )
        server = Server(process, Path(run_dir))
        try:
            until(server.ready, START_SECONDS)
            yield server
        finally:
            process.terminate()
            status = process.wait(30)
            text = (Path(run_dir) / "log").read_text()
        assert status == 0, text
        assert not (Path(run_dir) / "local.sock").exists()
        assert "Traceback" not in text, text
        assert "capital" not in text, "a prompt is in the log"


def long_question(characters: int = 6_000) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": STORY * (characters // len(STORY)) + " What is the capital of France?"}
        ],
        "stream": True,
        "max_tokens": 60,
    }


def long_answer() -> dict[str, Any]:
    # A grammar that has no end keeps the model writing.
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 400}
    return {
        "messages": [{"role": "user", "content": "Numbers, please."}],
        "stream": True,
        "temperature": 0,
        "max_tokens": 150,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    }


def events(raw: str) -> list[Any]:
    """The data of a stream's events, comments left out."""
    data = [line[6:] for line in raw.split("\n") if line.startswith("data: ")]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


def text_of(chunks: list[Any]) -> str:
    return "".join(
        chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk != "[DONE]" and chunk["choices"]
    )


async def ask(server: Server, body: dict[str, Any], **headers: str) -> httpx.Response:
    async with server.client() as client:
        reply: httpx.Response = await client.post(CHAT, json=body, headers=headers)
        return reply


def idle(server: Server) -> bool:
    return bool(server.get("/healthz").json()["queue_depth"] == 0)


def assert_paris(reply: httpx.Response) -> None:
    assert reply.status_code == 200, reply.text
    assert "Paris" in reply.json()["choices"][0]["message"]["content"]
