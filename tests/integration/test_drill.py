"""`make drill`, and keys at the edge: what the owner does to a stack of his own."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from fake_anthropic.process import FakeAnthropic
from stack import KEY, REPOSITORY, Stack, clean_environment, free_port

PILOT_KEYS = ("correct-horse-battery-1", "correct.horse~battery_2")


@pytest.fixture(scope="module")
def locked(_anthropic: FakeAnthropic) -> Iterator[Stack]:
    """A stack that wants keys of its callers."""
    _anthropic.reset()
    with Stack(
        ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=_anthropic.base_url, PILOT_KEYS=", ".join(PILOT_KEYS)
    ) as stack:
        stack.client.headers["x-api-key"] = PILOT_KEYS[0]
        yield stack


def drill(stack: Stack, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(REPOSITORY / "native" / "drill.py"), *arguments]
    return subprocess.run(
        command, env=stack.environment | environment, capture_output=True, text=True, check=False, timeout=90
    )


def test_a_drill_passes_on_a_healthy_stack(locked: Stack, anthropic: FakeAnthropic) -> None:
    """A live table, the notice seen, nothing lost, Claude back in time; exit code 0."""
    locked.wait_for_backend("claude")
    drilled = drill(locked, "--seconds", "4")
    assert drilled.returncode == 0, drilled.stderr
    assert " local   drill " in drilled.stderr
    assert drilled.stderr.splitlines()[-1].startswith("Passed: ")


def test_a_drill_without_a_key_says_why_not(keyless: Stack) -> None:
    """Nothing to fail over from: one sentence, non-zero."""
    drilled = drill(keyless)
    assert drilled.returncode == 1
    assert "Claude is not on" in drilled.stderr


def test_a_drill_without_a_stack_says_so(keyless: Stack) -> None:
    """One sentence, non-zero, no traceback."""
    drilled = drill(keyless, PILOT_PORT=str(free_port()))
    assert drilled.returncode == 1
    assert "does not answer" in drilled.stderr
    assert "Traceback" not in drilled.stderr


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {PILOT_KEYS[0]}"}, {"x-api-key": PILOT_KEYS[1]}],
    ids=["Bearer", "x-api-key"],
)
def test_a_known_key_comes_in(locked: Stack, headers: dict[str, str]) -> None:
    """Both ways of sending one of the keys."""
    locked.client.headers.pop("x-api-key", None)
    assert locked.ask(headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/status", "/healthz", "/metrics", "/nothing"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": "wrong-horse-battery-1"}, {"x-api-key": PILOT_KEYS[0].upper()}],
    ids=["none", "wrong", "wrong case"],
)
def test_without_one_everything_is_closed(locked: Stack, path: str, headers: dict[str, str]) -> None:
    """The same 401 in OpenAI's shape for every path."""
    locked.client.headers.pop("x-api-key", None)
    response = locked.client.get(path, headers=headers)
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"


def test_no_key_is_written_down(locked: Stack) -> None:
    """Neither Claude's nor a caller's key is in a log or on a command line."""
    assert clean_environment().get("ANTHROPIC_API_KEY") is None
    written = locked.logs() + "".join(" ".join(process.cmdline()) for process in locked.processes())
    for key in (KEY, *PILOT_KEYS):
        assert key not in written
