"""Changing over while it serves: the real service, with generated models put into its directory."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import generated_gguf as generated
import httpx
import psutil
import pytest
from gguf import GGMLQuantizationType as Type

from stack import clean_environment, wait_for

EMBEDDED = "SmolLM2-135M-Instruct"
SECONDS = 120
BIGGER = generated.LARGER
BIGGEST = replace(BIGGER, embedding=1024)
HEAVY = replace(generated.PHI, layers=12)  # some seconds to load, and slow


class Room:
    """A running local-llm with a models directory of its own."""

    def __init__(self, run_dir: Path, **settings: str) -> None:
        self.run_dir = run_dir
        self.models = run_dir / "models"
        self.models.mkdir(exist_ok=True)
        self._log = run_dir / "log"
        environment = clean_environment() | {
            "PILOT_RUN_DIR": str(run_dir),
            "LOCAL_MODELS": str(self.models),
            "LOCAL_CONTEXT": "1024",
            "LOCAL_MIN_TOKENS_PER_SECOND": "0",  # a busy machine must not decide
            **settings,
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local_llm"], env=environment, stdout=log, stderr=log
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def client(self) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.run_dir / "local.sock"))
        return httpx.Client(transport=transport, base_url="http://local", timeout=SECONDS)

    def get(self, path: str) -> httpx.Response:
        with self.client() as client:
            return client.get(path)

    def health(self) -> dict[str, Any]:
        """Empty while nobody listens."""
        assert self.process.poll() is None, self.log
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self.run_dir / "local.sock")) != 0:
                return {}
        health: dict[str, Any] = self.get("/healthz").json()
        return health

    def wait_for_model(self, name: str) -> None:
        wait_for(f"{name} is on", lambda: self.health().get("model") == name, SECONDS)

    def wait_until_passed_over(self, name: str) -> str:
        why: str = wait_for(f"{name} is refused", lambda: self.health()["passed_over"].get(name), SECONDS)
        return why

    def put(self, name: str, shape: generated.Shape, weights: Type = Type.F16) -> Path:
        """A model appears at once and whole, as after a download."""
        made = generated.write(self.run_dir / f"{name}.new", shape, weights=weights, hollow=True)
        return made.rename(self.models / f"{name}.gguf")

    def ask(self, **fields: Any) -> httpx.Response:
        with self.client() as client:
            body = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 8}
            return client.post("/v1/chat/completions", json=body | fields)

    def trial(self) -> psutil.Process:
        """The process that tries a model, once there is one."""

        def running() -> psutil.Process | None:
            with suppress(psutil.Error):
                for child in psutil.Process(self.process.pid).children():
                    if "local_llm.models.trial" in child.cmdline():
                        return child
            return None

        found = wait_for("a trial runs", running, SECONDS)
        assert found is not None
        return found


@contextmanager
def room(**settings: str) -> Iterator[Room]:
    """Ends well, with nothing left behind, or the test fails."""
    with tempfile.TemporaryDirectory(prefix="ll") as run_dir:  # short: a socket's path has a limit
        running = Room(Path(run_dir), **settings)
        try:
            wait_for("it is ready", lambda: running.health().get("ready"), SECONDS)
            yield running
            children = psutil.Process(running.process.pid).children()
        finally:
            running.process.terminate()
            status = running.process.wait(60)
        assert status == 0, running.log
        assert not [child for child in children if child.is_running()]


@pytest.fixture(scope="module")
def serving() -> Iterator[Room]:
    """One for all tests, each of which takes its models away again."""
    with room() as running:
        yield running


@pytest.fixture
def plain(serving: Room) -> Room:
    """With the embedded model on, and no other there."""
    for path in serving.models.glob("*.gguf"):
        path.unlink()
    serving.wait_for_model(EMBEDDED)
    return serving


class Asking:
    """Asks without a pause, in streams, until it is told to stop; keeps every answer."""

    def __init__(self, to: Room) -> None:
        self._room = to
        self._enough = threading.Event()
        self.answers: list[tuple[str, str, str]] = []  # the header's model, the body's, how it ended
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        body = {"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 12, "stream": True}
        with self._room.client() as client:
            while not self._enough.is_set():
                reply = client.post("/v1/chat/completions", json=body)
                chunks = [line[6:] for line in reply.text.splitlines() if line.startswith("data: ")]
                names = {json.loads(chunk)["model"] for chunk in chunks if chunk != "[DONE]"}
                whole = reply.status_code == 200 and chunks[-1] == "[DONE]" and "error" not in reply.text
                self.answers.append((reply.headers["X-Model"], *names, "whole" if whole else reply.text))

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()


def test_a_new_model_comes_on_and_nothing_is_lost(plain: Room) -> None:
    """Asked all the time: every answer whole, under one true name; then the larger one, then back when it is gone."""
    with Asking(plain) as asking:
        wait_for("the first answer", lambda: asking.answers)
        plain.put("bigger", BIGGER)
        plain.wait_for_model("bigger")
        before = len(asking.answers)
        wait_for("the new one answers", lambda: len(asking.answers) > before + 2, SECONDS)
        (plain.models / "bigger.gguf").unlink()
        plain.wait_for_model(EMBEDDED)
        before = len(asking.answers)
        wait_for("the old one answers again", lambda: len(asking.answers) > before + 2, SECONDS)
    for header, body, ending in asking.answers:
        assert ending == "whole"
        assert header == body
    names = [header for header, _, _ in asking.answers]
    changes = [name for name, last in zip(names, [None, *names], strict=False) if name != last]
    assert changes == [EMBEDDED, "bigger", EMBEDDED]


def test_an_answer_ends_on_the_model_it_began_with(plain: Room) -> None:
    """A long one ends under the old name, and the next is the new model's."""
    body = {
        "messages": [{"role": "user", "content": "Numbers."}],
        "stream": True,
        "max_tokens": 300,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "array", "items": {"type": "integer"}, "minItems": 400}},
        },
    }
    with plain.client() as client, client.stream("POST", "/v1/chat/completions", json=body) as reply:
        lines = reply.iter_lines()
        next(lines)
        plain.put("bigger", BIGGER)
        rest = [line[6:] for line in lines if line.startswith("data: ")]
    assert rest[-1] == "[DONE]"
    assert {json.loads(chunk)["model"] for chunk in rest[:-1]} == {EMBEDDED}
    plain.wait_for_model("bigger")
    assert plain.ask().headers["X-Model"] == "bigger"


def test_the_largest_is_on_and_the_metrics_say_so(plain: Room) -> None:
    """A larger one replaces a large one; a smaller one changes nothing."""
    plain.put("biggest", BIGGEST)
    plain.wait_for_model("biggest")
    plain.put("bigger", BIGGER)
    wait_for("it has been looked at", lambda: plain.ask().status_code == 200)
    assert plain.health()["model"] == "biggest"
    assert 'pilotlight_local_model{model="biggest"} 1.0' in plain.get("/metrics").text
    assert plain.get("/metrics").text.count("pilotlight_local_model{") == 1
    assert [each["id"] for each in plain.get("/v1/models").json()["data"]] == ["biggest"]
    (plain.models / "biggest.gguf").unlink()
    plain.wait_for_model("bigger")


def assert_serves(running: Room) -> None:
    reply = running.ask()
    assert reply.status_code == 200
    assert reply.headers["X-Model"] == EMBEDDED
    assert "Paris" in reply.json()["choices"][0]["message"]["content"]


def test_what_is_damaged_changes_nothing(plain: Room) -> None:
    """Half a file, a web page, weights that are no numbers: a word for each, and the embedded one goes on."""
    whole = plain.put("half", BIGGER)
    with whole.open("r+b") as file:
        file.truncate(whole.stat().st_size - 60_000_000)
    (plain.models / "page.gguf").write_bytes(b"<html>404</html>")
    odd = plain.put("odd", BIGGER)
    with odd.open("r+b") as file:
        file.seek(-40_000_000, os.SEEK_END)
        file.write(b"\xff" * 40_000_000)
    assert "GGUF" in plain.wait_until_passed_over("page")
    assert "ends too early" in plain.wait_until_passed_over("half")
    assert "numbers" in plain.wait_until_passed_over("odd")
    assert_serves(plain)


def test_a_file_that_crashes_llama_cpp_changes_nothing(plain: Room) -> None:
    """The process that tries it dies alone; a good one beside it comes on."""
    pid = plain.process.pid
    plain.put("crashing", replace(BIGGEST, heads=3))
    assert "crashed" in plain.wait_until_passed_over("crashing")
    assert_serves(plain)
    plain.put("bigger", BIGGER)
    plain.wait_for_model("bigger")
    assert plain.process.pid == pid
    assert plain.get("/metrics").text.count('pilotlight_local_trials_total{outcome="failed"}') == 1


def test_a_trial_that_is_killed_changes_nothing(plain: Room) -> None:
    """As the kernel kills when memory runs out."""
    plain.put("heavy", HEAVY, Type.Q4_0)
    trial = plain.trial()
    assert Path(f"/proc/{trial.pid}/oom_score_adj").read_text().strip() in ("0", "1000")
    trial.send_signal(signal.SIGKILL)
    assert "want of memory" in plain.wait_until_passed_over("heavy")
    assert_serves(plain)


def test_a_slow_one_is_not_taken() -> None:
    """By its real rate; the next smaller one is."""
    with room(LOCAL_MIN_TOKENS_PER_SECOND="9000") as running:
        running.put("bigger", BIGGER)
        assert "tokens per second" in running.wait_until_passed_over("bigger")
        assert_serves(running)


def test_one_asked_for_by_name() -> None:
    """Comes on however slow it is; the embedded one answers until then."""
    with tempfile.TemporaryDirectory(prefix="gg") as folder:
        path = generated.write(Path(folder) / "mine.gguf", generated.small(generated.PHI))
        with room(LOCAL_MODEL=str(path), LOCAL_MIN_TOKENS_PER_SECOND="10000") as running:
            running.wait_for_model("mine")
            assert running.ask().headers["X-Model"] == "mine"


def test_one_asked_for_that_crashes_is_said() -> None:
    """It serves with the embedded one, and the log says in a sentence why."""
    with tempfile.TemporaryDirectory(prefix="gg") as folder:
        path = generated.write(Path(folder) / "mine.gguf", replace(generated.small(generated.QWEN), heads=3))
        with room(LOCAL_MODEL=str(path)) as running:
            assert "crashed" in running.wait_until_passed_over("mine")
            assert_serves(running)
            assert "mine is not used: it crashed" in running.log


def test_it_ends_in_the_middle_of_a_trial() -> None:
    """Told to stop, it stops, and the trial with it."""
    with room() as running:
        running.put("heavy", HEAVY, Type.Q4_0)
        trial = running.trial()
    assert not trial.is_running()
