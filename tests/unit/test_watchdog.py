"""The watchdog of `make run` does not end because of what it sees: it would take the whole stack along."""

import os
from pathlib import Path
from typing import Any

import pytest

import watchdog


def test_an_odd_sight_is_said_once_and_the_next_look_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """/proc or the supervisor may give what nobody has thought of."""
    looks: list[int] = []

    def odd(pid: int) -> Any:
        looks.append(pid)
        raise ValueError("invalid literal")

    dog = watchdog.Watchdog(tmp_path, os.getpid())
    with monkeypatch.context() as patch:
        patch.setattr(watchdog, "children", odd)
        for _ in range(3):
            dog.check()
    assert len(looks) == 3
    assert capsys.readouterr().err.count("The watchdog cannot look: ValueError") == 1
    dog.check()
    assert capsys.readouterr().err == ""
