"""The README's first commands on a fresh Debian, as an ordinary user: it comes up, or says what is missing."""

import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import REPOSITORY

SUITES = ("trixie", "bookworm")
# Kept from run to run, like the images' caches: what uv has fetched for these systems' Pythons.
UV_CACHE = "pilot-light-test-uv"
DOCKERFILE = """
FROM debian:{suite}-slim
RUN apt-get update && apt-get install -y --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --shell /bin/bash ann \
    && mkdir -p /etc/sudoers.d && echo 'ann ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ann
"""
# As the machine that runs the tests has them in its own environment, in case its package index is behind a proxy.
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
ASK = """
import urllib.request
question = b"{\\"messages\\": [{\\"role\\": \\"user\\", \\"content\\": \\"What is the capital of France?\\"}]}"
json = {"Content-Type": "application/json"}
request = urllib.request.Request("http://127.0.0.1:8080/v1/chat/completions", question, json)
print(urllib.request.urlopen(request).read().decode())
"""


class Machine:
    """A fresh Debian with one ordinary user, whose home is empty; `handed` is the folder that holds the repository."""

    def __init__(self, suite: str, packages: str, handed: Path) -> None:
        self._name = f"pilot-newcomer-{uuid.uuid4().hex[:8]}"
        image = f"pilot-light-test/{suite}-{packages.replace(' ', '-')}"
        docker(
            "build", "--quiet", "--tag", image, "-", standard_input=DOCKERFILE.format(suite=suite, packages=packages)
        )
        mounts = ("--volume", f"{handed}:/handed:ro", "--volume", f"{UV_CACHE}:/home/ann/.cache/uv")
        ours = ("--volume", f"{uv_cache()}:/handed-uv:ro")
        certificates = ("--env", f"SSL_CERT_FILE={CERTIFICATES}", "--env", f"PIP_CERT={CERTIFICATES}")
        docker(
            "run", "--detach", "--init", "--name", self._name, *mounts, *ours, *certificates, image, "sleep", "infinity"
        )
        # What uv has built and fetched on this machine: llama.cpp alone would take six minutes.
        self.as_root(
            "cd /home/ann/.cache/uv && rm -rf sdists-* && cp -an /handed-uv/. . && chown -R ann: /home/ann/.cache"
        )

    def as_root(self, script: str) -> str:
        """What the script says; it must succeed."""
        return docker("exec", self._name, "sh", "-c", script)

    def log_in(self, script: str) -> "subprocess.Popen[str]":
        """Ann's script, in a login shell, with the PATH that Debian gives her. Both outputs are its stdout."""
        command = ["docker", "exec", "--user", "ann", "--workdir", "/home/ann", "--env", "HOME=/home/ann", self._name]
        return subprocess.Popen(
            [*command, "bash", "--login", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def remove(self) -> None:
        """With whatever runs in it."""
        docker("rm", "--force", self._name)


def uv_cache() -> str:
    """Where this machine's uv keeps what it has built."""
    uv = shutil.which("uv") or REPOSITORY / ".uv" / "bin" / "uv"
    return subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()


def docker(*arguments: str, standard_input: str = "") -> str:
    """One command of the engine's; returns what it printed."""
    done = subprocess.run(["docker", *arguments], input=standard_input, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def handed(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pilot-light`, the repository as it is here and now, for `git clone`."""
    folder = tmp_path_factory.mktemp("handed")
    git = [
        "git",
        "--git-dir",
        f"{folder}/git",
        "--work-tree",
        str(REPOSITORY),
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
    ]
    for command in (
        ["init", "-b", "main"],
        ["add", "--all"],
        ["commit", "-m", "now"],
        ["bundle", "create", f"{folder}/pilot-light", "HEAD", "main"],
    ):
        subprocess.run([*git, *command], cwd=REPOSITORY, capture_output=True, check=True)
    folder.chmod(0o755)
    return folder


@pytest.fixture
def machine(handed: Path) -> Iterator[Callable[[str, str], Machine]]:
    """Makes machines, and removes them in the end."""
    made: list[Machine] = []

    def make(suite: str, packages: str) -> Machine:
        made.append(Machine(suite, packages, handed))
        return made[-1]

    yield make
    for each in made:
        each.remove()


def first_commands() -> list[str]:
    """The README's first block, line by line, with this repository in it."""
    block = re.search(r"```sh\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    assert block
    return block[1].replace("<this repository>", "/handed/pilot-light").splitlines()


@pytest.mark.timeout(600)  # a new machine makes the images first
@pytest.mark.parametrize("suite", SUITES)
def test_it_comes_up_and_answers(machine: Callable[[str, str], Machine], suite: str) -> None:
    """From a Debian that has nothing but sudo; `make stop` from another terminal ends it."""
    debian = machine(suite, "sudo")
    began = time.monotonic()
    with debian.log_in(" && ".join(first_commands())) as first:
        assert first.stdout is not None
        said = []
        for line in first.stdout:
            said.append(line)
            if "Pilot Light is on at" in line:
                break
        assert "the local model" in said[-1], "".join(said)
        print(f"Debian {suite}: on after {time.monotonic() - began:.0f} s")
        with debian.log_in(f"python3 -c '{ASK}'") as asking:
            answer, _ = asking.communicate()
        assert NOTICE in answer
        with debian.log_in("cd pilot-light && make stop") as stopping:
            assert stopping.communicate()[0] == "Pilot Light is off.\n"
        assert first.stdout.read() == "Pilot Light is off.\n"
        assert first.wait() == 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("suite", SUITES)
def test_without_sudo_it_says_what_to_install(machine: Callable[[str, str], Machine], suite: str) -> None:
    """One sentence: what is missing, the command, and as whom."""
    with machine(suite, "git make").log_in(" && ".join(first_commands()[1:])) as first:
        said = first.communicate()[0].splitlines()
    sentence = next(line for line in said if line.startswith("Pilot Light"))
    wanted = "nginx g++ python3-venv"
    assert sentence.startswith(f"Pilot Light needs {wanted}, and without sudo cannot install them.")
    assert f"As root: apt-get install {wanted}; then run this again as ann." in sentence
    assert [line for line in said if not line.startswith(("Cloning into", "hint:", "make: ***"))] == [sentence]
    assert first.returncode != 0
