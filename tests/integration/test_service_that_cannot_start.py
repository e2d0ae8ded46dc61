"""A service that cannot start is named, with its last words, as soon as that is certain; one that stumbles is not."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from stack import REPOSITORY, Stack, clean_environment, free_port

PATIENCE_SECONDS = 30.0  # it is 2 to 5 on a quiet machine; the deadline for a start that only takes long is 120

# Read by every Python that starts with this directory in PYTHONPATH. FAULT is `service how`.
SITECUSTOMIZE = """
import os, pathlib, signal, sys
service, how = os.environ["FAULT"].split()
if sys.orig_argv[1:] == ["-m", service.replace("-", "_")]:
    here = pathlib.Path(__file__).parent / "died"
    if how == "killed-once":
        if not here.exists():
            here.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "broken":
        os.write(2, b"Traceback (most recent call):\\nImportError: libgomp.so.1: cannot open shared object file\\n")
        os._exit(1)
    elif how == "bad-setting":
        os.write(2, b"PILOT_MOOD=low: not a mood. Set it to high.\\n")
        os._exit(2)
"""
NGINX = """#!/bin/sh
case $FAULT in
    'nginx broken') echo 'nginx: [emerg] unknown directive "flame"' >&2; exit 1 ;;
    'nginx bad-setting') echo 'PILOT_MOOD=low: not a mood. Set it to high.' >&2; exit 2 ;;
    'nginx killed') kill -KILL $$ ;;
    'nginx killed-once') [ -e "$0.died" ] || { touch "$0.died"; kill -KILL $$; } ;;
esac
PATH=${PATH#*:} exec "$REAL_NGINX" "$@"
"""
BROKEN = "ImportError: libgomp.so.1: cannot open shared object file"
CASES = [
    # service, how it ends, what is said
    ("local-llm", "broken", f"local-llm cannot start: {BROKEN}."),
    ("claude-adapter", "broken", f"claude-adapter cannot start: {BROKEN}."),
    ("gateway", "broken", f"gateway cannot start: {BROKEN}."),
    ("nginx", "broken", 'nginx cannot start: nginx: [emerg] unknown directive "flame".'),
    ("gateway", "bad-setting", "PILOT_MOOD=low: not a mood. Set it to high.\n"),
    ("claude-adapter", "killed", "claude-adapter cannot start: terminated by SIGKILL, without a word."),
]


@pytest.fixture
def faulty(tmp_path: Path) -> dict[str, str]:
    """An environment in which one service does what FAULT says."""
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    (tmp_path / "nginx").write_text(NGINX)
    (tmp_path / "nginx").chmod(0o755)
    where = subprocess.run([REPOSITORY / "nginx" / "start.sh", "--where"], capture_output=True, text=True, check=True)
    return {
        "PYTHONPATH": str(tmp_path),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "REAL_NGINX": where.stdout.strip(),
    }


@pytest.mark.parametrize(("service", "how", "said"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_it_is_named_with_its_last_words(service: str, how: str, said: str, faulty: dict[str, str]) -> None:
    """One sentence, and the start ends: no 120 s, no folder to search. A bad setting's sentence is shown as it is."""
    with tempfile.TemporaryDirectory(prefix="pilot-") as run_dir:
        logs = Path(run_dir) / "logs"
        logs.mkdir()
        (logs / f"{service}.log").write_text("words of an earlier start\n")
        environment = {"PILOT_RUN_DIR": run_dir, "PILOT_PORT": str(free_port()), "PILOT_METRICS_PORT": str(free_port())}
        began = time.monotonic()
        with subprocess.Popen(
            [sys.executable, str(REPOSITORY / "native" / "run.py")],
            env=clean_environment() | faulty | environment | {"FAULT": f"{service} {how}"},
            cwd=run_dir,
            stderr=subprocess.PIPE,
            text=True,
        ) as launcher:
            assert launcher.stderr is not None
            first = launcher.stderr.readline()
            seconds = time.monotonic() - began
            rest, code = launcher.stderr.read(), launcher.wait(60)
        assert first.startswith(said)
        assert first.count("Its log is") == (how != "bad-setting")
        assert (rest, code) == ("", 1)
        assert seconds < PATIENCE_SECONDS
        assert [*Path(run_dir).glob("*.sock"), *Path(run_dir).glob("*.pid")] == []


@pytest.mark.parametrize("service", ["gateway", "nginx"])
def test_one_that_dies_once_has_not_failed(service: str, faulty: dict[str, str]) -> None:
    """It is started again, and the stack comes on."""
    with Stack(**faulty, FAULT=f"{service} killed-once") as stack:
        assert stack.ask("Are you there?").status_code == 200
