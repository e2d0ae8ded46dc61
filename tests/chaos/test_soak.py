"""Three minutes of everything at once, always with the same draws; `make soak` is longer and draws anew."""

import os
from pathlib import Path

import psutil
import pytest

from chaos.fault_table import SETTINGS
from chaos.soak import SECRET, run_soak, summary
from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack

SECONDS = float(os.environ.get("SOAK_SECONDS") or 180)
SEED = int(os.environ.get("SOAK_SEED") or 1)
ROOMS = ("gateway", "claude-adapter", "local-llm", "nginx")


@pytest.mark.timeout(SECONDS + 300)
def test_nobody_is_left_without_an_answer(tmp_path: Path) -> None:
    """Every request ends well, or in a well-formed refusal while both brains were down; no secret is written down."""
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    settings = {name: value for name, value in SETTINGS.items() if name != "ANTHROPIC_API_KEY"}
    with (
        FakeAnthropic() as anthropic,
        Stack(
            ANTHROPIC_BASE_URL=anthropic.base_url,
            ANTHROPIC_API_KEY_FILE=str(key_file),
            CLAUDE_STALL_SECONDS="2",
            **settings,
        ) as stack,
    ):
        stack.wait_for_backend("claude")
        soak = run_soak(stack, anthropic, key_file, seconds=SECONDS, seed=SEED)
        print(f"\nsoak of {SECONDS:g} s, seed {SEED}\n{summary(soak)}")
        memory = {room: round(stack.room(room).memory_info().rss / 1e6) for room in ROOMS}
        print(f"resident memory, MB: {memory}")
        assert not (mistakes := unexpected_lines(stack)), "\n".join(mistakes)
        assert not soak.failures, "\n".join(soak.failures)
        assert {exchange.verdict for exchange in soak.exchanges} >= {"claude", "local", "rescued"}
        check_nothing_is_written_down(stack)


def unexpected_lines(stack: Stack) -> list[str]:
    """What the rooms say of exceptions that nobody had thought of: which, and at what place."""
    logs = (stack.run_dir / "logs").iterdir()
    return [
        line for log in logs for line in log.read_text().splitlines() if "unexpected " in line or "Traceback" in line
    ]


def check_nothing_is_written_down(stack: Stack) -> None:
    """The key and the words of questions are in no log, metric, status, process list, or foreign environment."""
    places = {str(log): log.read_bytes() for log in (stack.run_dir / "logs").iterdir()}
    places |= {f"metrics of {room}": stack.metrics(room).encode() for room in ROOMS}
    places["/status"] = stack.client.get("/status").content
    for process in stack.processes():
        places[f"command line of {process.pid}"] = " ".join(process.cmdline()).encode()
        if "claude_adapter" not in " ".join(process.cmdline()):
            environment = Path(f"/proc/{process.pid}/environ")
            if psutil.pid_exists(process.pid):
                places[str(environment)] = environment.read_bytes()
    for place, text in places.items():
        for secret in (KEY, SECRET):
            assert secret.encode() not in text, f"{secret} is in {place}"
