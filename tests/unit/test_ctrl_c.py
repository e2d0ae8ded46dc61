"""A service started by itself, from a terminal, ends on Ctrl-C: whole, and without a traceback."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from stack import wait_for

# Whoever started the tests may have had Ctrl-C ignored, which a process inherits.
HEARS_IT = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "


@pytest.mark.parametrize(
    ("module", "name"), [("gateway", "gateway.sock"), ("claude_adapter", "claude.sock"), ("local_llm", "local.sock")]
)
def test_ctrl_c_ends_a_service(module: str, name: str) -> None:
    """Exit code 0, no socket left."""
    with tempfile.TemporaryDirectory(prefix="c") as run_dir:  # not tmp_path: a socket's path must be short
        path = Path(run_dir) / name
        command = [sys.executable, "-c", f"{HEARS_IT}import sys; from {module}.__main__ import main; sys.exit(main())"]
        environment = os.environ | {"PILOT_RUN_DIR": run_dir, "LOCAL_MODELS": f"{run_dir}/models"}
        service = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        try:
            # Its mode is the last thing that is set before it is on.
            wait_for("it listens", lambda: path.exists() and path.stat().st_mode & 0o077 == 0, 60)
            service.send_signal(signal.SIGINT)
            said = service.communicate(timeout=40)[1].decode()
        finally:
            service.kill()
        assert service.returncode == 0, said
        assert "Traceback" not in said
        assert not path.exists()
