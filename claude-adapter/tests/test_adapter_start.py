"""What cannot start says why in one sentence, and that another start would not help."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BAD = [
    ("ANTHROPIC_BASE_URL", "http://[::1"),
    ("ANTHROPIC_BASE_URL", "http://host:port"),
    ("CLAUDE_STALL_SECONDS", "soon"),
    ("PILOT_ALIASES", "gpt-4o=llama"),
    ("PILOT_RUN_DIR", "/etc/passwd/run"),
    ("HTTPS_PROXY", "http://[bad"),
    ("HTTPS_PROXY", "http://a..b:3128"),
    ("HTTPS_PROXY", "http://two words:3128"),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{name}={value}" for name, value in BAD])
def test_a_bad_setting_is_one_sentence(tmp_path: Path, name: str, value: str) -> None:
    """It names the variable; no traceback; exit code 2."""
    clean = {key: text for key, text in os.environ.items() if not key.lower().endswith("_proxy")}
    environment = {**clean, "PILOT_RUN_DIR": str(tmp_path), name: value}
    command = [sys.executable, "-m", "claude_adapter"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"{name}: ")
    assert len(ended.stderr.splitlines()) == 1
