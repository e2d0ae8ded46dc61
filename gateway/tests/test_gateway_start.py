"""A setting that cannot be is one sentence and exit code 2, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def start(**environment: str) -> "subprocess.CompletedProcess[str]":
    """`python -m gateway` that is expected to end by itself."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PILOT_")}
    command = [sys.executable, "-m", "gateway"]
    return subprocess.run(command, env=clean | environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own program


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PILOT_NOTICE_POLICY", "sometimes"),
        ("PILOT_NOTICE", "x" * 3000),
        ("PILOT_RUN_DIR", "/dev/null/run"),
        ("PILOT_RUN_DIR", "/proc/run"),
        ("PILOT_RUN_DIR", "long/" * 30),
    ],
)
def test_a_setting_that_cannot_be(name: str, value: str, tmp_path: Path) -> None:
    """It names the variable, what is wrong and what would be right."""
    value = str(tmp_path / value) if value.startswith("long") else value
    ended = start(**{"PILOT_RUN_DIR": str(tmp_path), name: value})
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{name}={value[:20]}")
    assert ended.stderr.rstrip().count("\n") == 0
    assert ". " in ended.stderr
    assert "Traceback" not in ended.stderr
