"""Getting a model: the real program against a stand-in for the hub that serves the real SmolLM2 file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_hub.process import FakeHub
from local_llm.models import catalogue
from local_llm.models.weights import locate
from local_llm.settings import Settings

FILE = "small-model.Q4_1.gguf"
NAME = f"someone/Small-GGUF/{FILE}"
SECONDS = 90


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHub]:
    """A hub with one repository that holds the real weights."""
    root = tmp_path_factory.mktemp("hub")
    folder = root / "someone" / "Small-GGUF"
    folder.mkdir(parents=True)
    os.link(weights(), folder / FILE) if same_disk(folder) else shutil.copyfile(weights(), folder / FILE)
    (root / "Qwen" / "Qwen2.5-1.5B-Instruct-GGUF").mkdir(parents=True)
    os.link(folder / FILE, root / "Qwen" / "Qwen2.5-1.5B-Instruct-GGUF" / "qwen2.5-1.5b-instruct-q4_k_m.gguf")
    with FakeHub(root) as running:
        yield running


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models directory with something in it that must stay as it is."""
    directory = tmp_path / "models"
    directory.mkdir()
    (directory / "older.gguf").write_bytes(b"GGUF, older")
    return directory


def weights() -> Path:
    return locate(Settings(local_model="auto")).path


def same_disk(folder: Path) -> bool:
    return weights().stat().st_dev == folder.stat().st_dev


def start(hub_url: str, models: Path, name: str = NAME) -> subprocess.Popen[str]:
    environment = os.environ | {"HF_ENDPOINT": hub_url, "LOCAL_MODELS": str(models), "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "local_llm.models.fetch", name],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(hub_url: str, models: Path, name: str = NAME) -> tuple[int, str]:
    """Exit status, and what it said."""
    program = start(hub_url, models, name)
    out, said = program.communicate(timeout=SECONDS)
    assert "Traceback" not in said, said
    return program.returncode, out + said


def partial_bytes(models: Path) -> int:
    return sum(path.stat().st_size for path in (models / ".partial").glob("*.gguf.*"))


def assert_nothing_changed(models: Path) -> None:
    assert [path.name for path in models.glob("*.gguf")] == ["older.gguf"]
    assert (models / "older.gguf").read_bytes() == b"GGUF, older"


def assert_here(models: Path) -> None:
    assert (models / FILE).read_bytes() == weights().read_bytes()
    assert partial_bytes(models) == 0


def test_a_model_is_got(hub: FakeHub, models: Path) -> None:
    """Whole, under its own name, with progress on the way; a second run finds it here."""
    hub.fault(bytes_per_second=60e6)
    status, said = run(hub.url, models)
    assert status == 0, said
    assert_here(models)
    assert "Fetching 98 MB" in said
    assert re.search(r"\d+ MB of 98 MB, [\d.]+ MB/s", said), said
    hub.fault()
    status, said = run(hub.url, models)
    assert status == 0
    assert "is here already" in said
    assert not [request for request in hub.log() if request["path"].startswith("/cdn/")]


def test_a_broken_line_is_gone_on_with(hub: FakeHub, models: Path) -> None:
    """The same run asks for the rest."""
    hub.fault(cut_at=50_000_000)
    status, said = run(hub.url, models)
    assert status == 0, said
    assert_here(models)
    ranges = [request["range"] for request in hub.log() if request["path"].startswith("/cdn/")]
    assert len(ranges) == 2
    assert ranges[0] is None
    assert ranges[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_download_is_resumed(hub: FakeHub, models: Path, number: signal.Signals) -> None:
    """Killed half way: nothing in place. The next run reads only what is missing."""
    hub.fault(bytes_per_second=25e6)
    program = start(hub.url, models)
    deadline = time.monotonic() + SECONDS
    while partial_bytes(models) < 30_000_000:
        assert program.poll() is None, program.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)  # a poll, not a wait
    program.send_signal(number)
    _, said = program.communicate(timeout=SECONDS)
    assert program.returncode != 0
    assert_nothing_changed(models)
    if number != signal.SIGKILL:
        assert len(said.strip().splitlines()[-1]) > 0
        assert "the same command goes on from there" in said
        assert "Traceback" not in said
    kept = partial_bytes(models)
    assert kept >= 30_000_000
    hub.fault()
    status, said = run(hub.url, models)
    assert status == 0, said
    assert_here(models)
    assert "Going on at" in said
    assert [r["range"] for r in hub.log() if r["path"].startswith("/cdn/")] == [f"bytes={kept}-"]


def test_a_corrupted_one_is_thrown_away(hub: FakeHub, models: Path) -> None:
    """A single wrong byte: not placed, not kept, and the next run starts over."""
    hub.fault(corrupt_at=70_000_000)
    status, said = run(hub.url, models)
    assert status == 1
    assert "damaged on the way" in said
    assert_nothing_changed(models)
    assert partial_bytes(models) == 0
    hub.fault()
    assert run(hub.url, models)[0] == 0
    assert_here(models)


def test_a_server_without_ranges_is_read_from_the_start(hub: FakeHub, models: Path) -> None:
    """Half a file from before does no harm then."""
    hub.fault(cut_at=40_000_000, ignore_range=True)
    status, said = run(hub.url, models)
    assert status == 0, said
    assert_here(models)


REFUSED = [
    # why, name, fault, words of the sentence
    ("a wrong name", "qwen", {}, "Known are phi-3-mini, qwen2.5-1.5b, tinyllama-1.1b"),
    ("the embedded one", "smollm2-135m", {}, "embedded"),
    ("no such repository", "someone/Nothing/x.gguf", {}, "no open repository someone/Nothing"),
    ("no such file", "someone/Small-GGUF/x.gguf", {}, "has no file x.gguf"),
    ("a hub that is down", NAME, {"status": 503}, "answered 503"),
    ("no hub at all", NAME, {"plain": True}, "Check HF_ENDPOINT"),
    ("a mirror with another file", "qwen2.5-1.5b", {}, "has another qwen2.5-1.5b-instruct-q4_k_m.gguf"),
    ("more than the disk holds", NAME, {"size": 10**15}, "of disk"),
    ("a line that always breaks", NAME, {"cut_at": 0, "cuts": 99}, "broke off"),
]


@pytest.mark.parametrize(("why", "name", "fault", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_refusal_is_one_sentence(
    hub: FakeHub, models: Path, why: str, name: str, fault: dict[str, object], words: str
) -> None:
    """What is wrong and what to do, a non-zero exit, and everything as it was."""
    hub.fault(**fault)
    status, said = run(hub.url, models, name)
    assert status == 1, said
    assert words in said
    assert_nothing_changed(models)


def test_no_network(models: Path) -> None:
    """Nobody there: it says so, and names what may help."""
    status, said = run("http://127.0.0.1:9", models)
    assert status == 1
    assert "could not be reached" in said
    assert "HF_ENDPOINT" in said
    assert_nothing_changed(models)


def test_a_full_disk(hub: FakeHub, models: Path) -> None:
    """Full while writing: thrown away, so that the disk is not left full."""
    hub.fault()
    limited = f"import resource, runpy, sys, signal; sys.argv = ['fetch', {NAME!r}]; "
    limited += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000_000, 50_000_000)); "
    limited += "import errno; errno.ENOSPC = errno.EFBIG; "  # a file that may not grow stands for a disk that cannot
    limited += "runpy.run_module('local_llm.models.fetch', run_name='__main__')"
    result = subprocess.run(
        [sys.executable, "-c", limited],
        env=os.environ | {"HF_ENDPOINT": hub.url, "LOCAL_MODELS": str(models)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert result.returncode == 1, result.stderr
    assert "is full" in result.stderr
    assert "Traceback" not in result.stderr
    assert_nothing_changed(models)
    assert partial_bytes(models) == 0


def test_two_downloads_do_not_meet(hub: FakeHub, models: Path) -> None:
    """The second hears of the first, which ends well."""
    hub.fault(bytes_per_second=40e6)
    first = start(hub.url, models)
    deadline = time.monotonic() + SECONDS
    while not partial_bytes(models):
        assert time.monotonic() < deadline
        time.sleep(0.02)  # a poll, not a wait
    status, said = run(hub.url, models)
    assert status == 1
    assert "Another download" in said
    first.communicate(timeout=SECONDS)
    assert first.returncode == 0
    assert_here(models)


def test_the_list(models: Path) -> None:
    """Without a name: the catalogue, and what is present."""
    status, said = run("http://127.0.0.1:9", models, "")
    assert status == 0
    for entry in catalogue.entries():
        assert entry.name in said
    assert "older.gguf" in said
    assert "make model NAME=qwen2.5-1.5b" in said


def test_the_catalogue_is_true_of_the_embedded_model() -> None:
    """Size and name of the file that is here."""
    entry = catalogue.named("SmolLM2-135M")
    assert entry is not None
    assert weights().name == entry.file
    assert weights().stat().st_size == entry.size_bytes
    assert catalogue.of_file(entry.file) is entry
