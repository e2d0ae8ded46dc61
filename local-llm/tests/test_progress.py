"""A model that does not come back: others are told, and the process ends itself, whatever it is stuck in."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest
from local_rig import CAPITAL, CHAT, START_SECONDS, Server, until

from local_llm.engine.progress import (
    END_SECONDS,
    END_SECONDS_WHEN_STOPPING,
    LOOK_SECONDS,
    NOT_READY_SECONDS,
    Progress,
    StallWatch,
)

# The model of this process never comes back, and what is counted in seconds is counted ten times as fast.
STUCK = """
import sys, threading
from local_llm import __main__ as program
from local_llm.engine import engine, progress
progress.LOOK_SECONDS, progress.NOT_READY_SECONDS, progress.END_SECONDS = 0.05, 0.5, float(sys.argv[1])
progress.END_SECONDS_WHEN_STOPPING = 0.5
engine.Engine._generate = lambda *_: threading.Event().wait()
sys.exit(program.main())
"""


def looks(watch: StallWatch, seconds: float) -> bool:
    """Look for so long; whether it would have ended."""
    return any(watch.look() for _ in range(round(seconds / LOOK_SECONDS)))


def test_silence_is_noticed_and_then_ends_it() -> None:
    """First nobody is sent here any more; then it ends."""
    progress = Progress()
    watch = StallWatch(progress)
    progress.begin()
    assert not looks(watch, NOT_READY_SECONDS)
    assert not watch.stalled
    assert not looks(watch, LOOK_SECONDS)
    assert watch.stalled
    assert not looks(watch, END_SECONDS - NOT_READY_SECONDS - LOOK_SECONDS)
    assert looks(watch, LOOK_SECONDS)


@pytest.mark.parametrize("event", ["sign", "end", "begin"])
def test_any_sign_begins_anew(event: str) -> None:
    """A token, the end of the answer, another one's beginning."""
    progress = Progress()
    watch = StallWatch(progress)
    progress.begin()
    looks(watch, END_SECONDS - LOOK_SECONDS)
    assert watch.stalled
    getattr(progress, event)()
    assert not looks(watch, LOOK_SECONDS)
    assert not watch.stalled


def test_idle_is_no_stall() -> None:
    """Nobody asks for an hour."""
    watch = StallWatch(Progress())
    assert not looks(watch, 3600)
    assert not watch.stalled


def test_who_stops_waits_less() -> None:
    """After SIGTERM."""
    progress = Progress()
    watch = StallWatch(progress)
    watch.stopping = True
    progress.begin()
    assert looks(watch, END_SECONDS_WHEN_STOPPING + LOOK_SECONDS)


@pytest.mark.parametrize("sigterm", [False, True], ids=["by itself", "SIGTERM"])
def test_a_stuck_process_ends(sigterm: bool) -> None:
    """The real process: not ready, then gone, with a sentence in its log; after SIGTERM as well."""
    with tempfile.TemporaryDirectory(prefix="ll") as run_dir:
        environment = os.environ | {"PILOT_RUN_DIR": run_dir, "LOCAL_MODELS": f"{run_dir}/models"}
        end_seconds = "600" if sigterm else "1.5"
        command = [sys.executable, "-c", STUCK, end_seconds]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)  # noqa: S603  # ours
        server = Server(process, Path(run_dir))
        try:
            until(server.ready, START_SECONDS)
            with httpx.Client(transport=httpx.HTTPTransport(uds=server.socket_path), base_url="http://local") as client:
                if sigterm:
                    with client.stream("POST", CHAT, json={**CAPITAL, "stream": True}):
                        until(lambda: server.get("/healthz").status_code == 503)
                        process.send_signal(signal.SIGTERM)
                        said = process.communicate(timeout=20)[1]
                else:
                    with pytest.raises(httpx.RemoteProtocolError):
                        client.post(CHAT, json=CAPITAL, timeout=20)
                    said = process.communicate(timeout=20)[1]
        finally:
            process.kill()
    assert process.returncode == 1
    assert b"the model has not got on for" in said
    assert b"Traceback" not in said
