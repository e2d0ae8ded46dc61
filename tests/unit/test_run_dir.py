"""The sockets need no key, so their directory is open to its owner alone."""

from pathlib import Path

import pytest

import run


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("before", [None, 0o755, 0o777, 0o700])
def test_it_is_private_before_anything_is_in_it(tmp_path: Path, before: int | None) -> None:
    """Made so, or closed when it was empty and open."""
    run_dir = tmp_path / "run"
    if before is not None:
        run_dir.mkdir()
        run_dir.chmod(before)
    run.make_run_dir(run_dir)
    assert mode(run_dir) == 0o700
    run_dir.chmod(0o755)
    run.make_run_dir(run_dir)
    assert mode(run_dir) == 0o700, "it is our own, and somebody has opened it since"


def test_a_directory_of_others_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """/tmp itself, say: nothing in it changes, and one sentence says what to do."""
    tmp_path.chmod(0o777)
    (tmp_path / "theirs").touch()
    with pytest.raises(SystemExit):
        run.make_run_dir(tmp_path)
    assert mode(tmp_path) == 0o777
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]
    (line,) = capsys.readouterr().err.splitlines()
    assert "PILOT_RUN_DIR" in line
