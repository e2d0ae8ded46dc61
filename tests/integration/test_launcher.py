"""`make run` and `make stop` as a person meets them."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from stack import REPOSITORY, Stack, clean_environment, free_port, wait_for


def test_ctrl_c_leaves_nothing_behind() -> None:
    """No process, no socket, and the exit code is 0."""
    stack = Stack()
    processes = stack.processes()
    assert len(processes) >= 6
    run_dir = stack.run_dir
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(40) == 0
    assert [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert [*run_dir.glob("*.sock"), *run_dir.glob("*.pid")] == []
    stack.stop()


def test_make_stop_stops_it() -> None:
    """From another terminal; a second stop says that nothing runs."""
    with Stack() as stack:
        processes = stack.processes()
        command = [sys.executable, str(REPOSITORY / "native" / "stop.py")]
        stopped = subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=True, timeout=60)
        assert "off" in stopped.stderr
        assert stack.process.wait(10) == 0
        wait_for("all gone", lambda: not [p for p in processes if p.is_running()])
        again = subprocess.run(command, env=stack.environment, capture_output=True, text=True, check=True, timeout=60)
        assert "not running" in again.stderr


def test_a_second_run_says_so_and_breaks_nothing(keyless: Stack) -> None:
    """One sentence, a non-zero exit, and the first goes on answering."""
    second = keyless.launch()
    _, said = second.communicate(timeout=60)
    assert second.returncode != 0
    assert b"already running" in said
    assert keyless.ask("Still there?").status_code == 200


def test_nobody_else_reaches_the_sockets(keyless: Stack) -> None:
    """Whoever does needs no key: for Claude's answers, and for a drill."""
    assert keyless.run_dir.stat().st_mode & 0o077 == 0
    for name in ("gateway.sock", "claude.sock", "local.sock"):
        assert (keyless.run_dir / name).stat().st_mode & 0o077 == 0, name


REFUSED = [
    # why, settings, words of the one sentence
    ("a bad port", {"PILOT_PORT": "http"}, "PILOT_PORT=http"),
    ("a bad policy", {"PILOT_NOTICE_POLICY": "sometimes"}, "PILOT_NOTICE_POLICY=sometimes"),
    ("a bad number", {"CLAUDE_FIRST_TOKEN_SECONDS": "soon"}, "CLAUDE_FIRST_TOKEN_SECONDS=soon"),
    ("a missing model", {"LOCAL_MODEL": "/nowhere/model.gguf"}, "/nowhere/model.gguf"),
    ("open to the world", {"PILOT_BIND": "0.0.0.0"}, "PILOT_KEYS"),
    ("a short key", {"PILOT_KEYS": "secret"}, "shorter than 16"),
    ("a name without a key", {"PILOT_KEYS": "phone:"}, "no key behind the name phone"),
    ("a short key with a name", {"PILOT_KEYS": "phone:secret"}, "shorter than 16"),
    ("a name that is none", {"PILOT_KEYS": "my*phone:correct-horse-battery-1"}, "a name in PILOT_KEYS"),
    ("places that are no number", {"PILOT_KEY_CONCURRENCY": "many"}, "PILOT_KEY_CONCURRENCY=many"),
    ("a proxy that is none", {"HTTP_PROXY": "http://[bad"}, "HTTP_PROXY is not the address of a proxy"),
    (
        "a page with a path",
        {"PILOT_ORIGINS": "https://chat.example/app"},
        "https://chat.example/app, which is no origin",
    ),
    ("a cache that is neither on nor off", {"CLAUDE_CACHE": "sometimes"}, "CLAUDE_CACHE"),
    ("a path too long for a socket", {"PILOT_RUN_DIR": f"/tmp/{'x' * 100}"}, "PILOT_RUN_DIR"),
]


@pytest.mark.parametrize(("why", "settings", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_bad_setting_is_one_sentence(why: str, settings: dict[str, str], words: str, tmp_path: Path) -> None:
    """What is wrong and what to do, non-zero, nothing started, no traceback."""
    said = refused(settings, tmp_path)
    assert words in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


def test_too_few_files_are_one_sentence(tmp_path: Path) -> None:
    """Where a shell lets nobody open as many as connections need: the number, and how to raise it."""
    said = refused({}, tmp_path, "prlimit", "--nofile=128:128")
    assert said == "Only 128 files may be open here, and Pilot Light needs 1024. Raise the limit: ulimit -n.\n"


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """It names the port and the setting."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused({"PILOT_PORT": str(port)}, tmp_path)
    assert f"Port {port} is taken" in said
    assert "PILOT_PORT" in said


def test_settings_come_from_a_dotenv_file_too(tmp_path: Path) -> None:
    """`.env` in the current directory is read; the environment wins over it."""
    (tmp_path / ".env").write_text("PILOT_NOTICE_POLICY=sometimes\n")
    assert "PILOT_NOTICE_POLICY=sometimes" in refused({}, tmp_path)


def refused(settings: dict[str, str], folder: Path, *under: str) -> str:
    """What `make run` says when it refuses to start, `under` a command that runs it."""
    with tempfile.TemporaryDirectory(prefix="pilot-") as run_dir:
        environment = clean_environment() | {
            "PILOT_RUN_DIR": f"{run_dir}/run",
            "PILOT_PORT": str(free_port()),
            "PILOT_METRICS_PORT": str(free_port()),
            **settings,
        }
        command = [*under, sys.executable, str(REPOSITORY / "native" / "run.py")]
        result = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=60
        )
        assert result.returncode != 0
        assert not os.path.exists(f"{run_dir}/run/supervisord.pid")  # noqa: PTH110  # one call in a test
    return result.stderr
