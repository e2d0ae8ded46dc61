"""What native/setup.sh says when it cannot go on: one sentence with what to do, and a failing exit code.

It runs in a copy of its own, on a PATH that holds only the stand-ins of the case.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from stack import REPOSITORY

TOOLS = ("sh", "dirname", "awk", "grep", "head", "tail", "env", "cat")
ANN = {"id": "case $1 in -u) echo 1000 ;; -un) echo ann ;; esac"}
ROOT = {"id": "case $1 in -u) echo 0 ;; -un) echo root ;; esac"}
# As on a Debian that has all it needs from the distribution.
NGINX, COMPILER = {"nginx": ""}, {"c++": ""}
PYTHON = {
    "python3": """case $* in
        *--version) echo Python 3.13.5 ;;
        "-m venv"*) mkdir -p .uv/bin; cp "$PIP" .uv/bin/pip ;;
    esac"""
}
NO_PYTHON = {"python3": "exit 127"}
APT_WORKS = {"apt-get": ""}
NO_NETWORK = {
    "apt-get": """case $* in
        *update*) echo "W: Failed to fetch http://deb.debian.org/InRelease  Could not resolve" >&2 ;;
        *) echo "E: Unable to locate package nginx" >&2; exit 100 ;;
    esac"""
}
SUDO = {"sudo": 'exec "$@"'}
NO_TERMINAL = {"sudo": 'echo "sudo: a terminal is required to read the password; either use ssh -t" >&2; exit 1'}
NOT_A_SUDOER = {"sudo": 'echo "ann is not in the sudoers file." >&2; exit 1'}
DISK = {"df": 'echo Filesystem; echo "/dev/vda 100 10 90000000 1% /"'}
FULL_DISK = {"df": 'echo Filesystem; echo "/dev/vda 100 10 307200 99% /"'}
PIP_FAILS = {"pip": 'echo "WARNING: Retrying" >&2; echo "ERROR: No matching distribution found for uv" >&2; exit 1'}
UV_FAILS = 'case $1 in python) {find} ;; *) echo "error: something of uv\'s" >&2; exit 2 ;; esac'
ALL = NGINX | COMPILER | PYTHON | APT_WORKS | DISK
NEEDS = "Pilot Light needs nginx g++ python3-venv"
BY_HAND = "As root: apt-get install nginx g++ python3-venv; then run this again as ann."
FETCH = "W: Failed to fetch http://deb.debian.org/InRelease  Could not resolve"

CASES = [
    # why, the programs there are, words of the sentence
    ("no sudo", ANN | NO_PYTHON | APT_WORKS, [NEEDS, "without sudo", BY_HAND]),
    (
        "a compiler alone is missing",
        ANN | NGINX | PYTHON | APT_WORKS,
        ["Pilot Light needs g++,", "apt-get install g++;"],
    ),
    ("no terminal for sudo", ANN | NO_PYTHON | APT_WORKS | NO_TERMINAL, ["(sudo: a terminal is required", BY_HAND]),
    ("sudo refuses", ANN | NO_PYTHON | APT_WORKS | NOT_A_SUDOER, ["(ann is not in the sudoers file.)", BY_HAND]),
    ("no network, with sudo", ANN | NO_PYTHON | NO_NETWORK | SUDO, [f"({FETCH})", BY_HAND]),
    ("no network, as root", ROOT | NO_PYTHON | NO_NETWORK, [f"({FETCH})", "then run this again as root."]),
    ("no apt-get", ROOT | NO_PYTHON, [NEEDS, "this system's package manager"]),
    ("a full disk", ANN | ALL | FULL_DISK, ["needs 2000 MB of disk", "has 300"]),
    ("no uv to be had", ANN | ALL | PIP_FAILS, ["uv could not be installed", "No matching distribution found for uv"]),
    (
        "an old Python",
        ANN | ALL | {"uv": UV_FAILS.format(find="exit 1")},
        ["Python 3.11 or newer", "has Python 3.13.5"],
    ),
    ("uv fails", ANN | ALL | {"uv": UV_FAILS.format(find=":")}, ["could not be installed; uv says why above"]),
]


@pytest.mark.parametrize(("why", "programs", "words"), CASES, ids=[case[0] for case in CASES])
def test_it_says_what_to_do(why: str, programs: dict[str, str], words: list[str], tmp_path: Path) -> None:
    """The last line is a whole sentence with the cause and the way out, and nothing that looks like a crash."""
    said = set_up(copy(tmp_path), programs, tmp_path)
    assert all(word in said[-1] for word in words), said
    assert said[-1].endswith(".")
    assert not any("Traceback" in line or "not found" in line for line in said[:-1]), said


def test_a_directory_of_somebody_elses_is_said(tmp_path: Path) -> None:
    """A checkout that may not be written to, as root's is for Ann; asked of `test`, because root may write anywhere."""
    here = copy(tmp_path)
    script = (here / "native" / "setup.sh").read_text().replace('[ -w "$place" ]', "false")
    (here / "native" / "setup.sh").write_text(script)
    said = set_up(here, ANN | ALL | {"uv": "exit 1"}, tmp_path)
    assert said[-1].startswith(f"ann cannot write to {here}")


def test_nothing_to_do_is_silent(tmp_path: Path) -> None:
    """All is there, /usr/sbin's nginx included."""
    assert set_up(copy(tmp_path), ANN | ALL | {"uv": ""}, tmp_path, code=0) == []


def copy(folder: Path) -> Path:
    """A checkout of its own, so far as set-up goes."""
    here = folder / "checkout"
    for name in ("native/setup.sh", "nginx/start.sh"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, here / name)
    return here


def set_up(here: Path, programs: dict[str, str], folder: Path, code: int = 1) -> list[str]:
    """What it says, line by line."""
    path = folder / "path"
    path.mkdir()
    for name in (*TOOLS, "mkdir", "cp"):
        tool = shutil.which(name)
        assert tool
        (path / name).symlink_to(tool)
    for name, script in programs.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)
    # Without the machine's own nginx, which start.sh would find in /usr/sbin.
    start = here / "nginx" / "start.sh"
    start.write_text(start.read_text().replace("$PATH:/usr/sbin:/usr/local/sbin", "$PATH"))
    done = subprocess.run(
        [here / "native" / "setup.sh"],
        env={"PATH": str(path), "PIP": str(path / "pip")},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == code, done.stderr
    assert not done.stdout
    return done.stderr.splitlines()
