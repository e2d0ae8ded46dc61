"""The disk of the run directory is full to the last byte: answers go on, and so does everything when there is space."""

import contextlib
import errno
import os
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chaos.exchange import DIALECTS, PATHS, Dialect, ask
from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack, wait_for

DISK_MB = 32
FULL_SECONDS = 32.0  # longer than anything is remembered, and than idle connections inside are kept
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LOG_BYTES = 5 * 1024**2  # at which supervisord.conf begins a new log
LOG_FLUSH_SECONDS = 2.0  # nginx.conf's
SERVICES = ("nginx", "gateway", "claude-adapter", "local-llm")


class SmallDisk:
    """A disk of DISK_MB at a path of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "pilot-test", path], check=True)

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Full to the last byte while the context is open: what becomes free is taken at once."""
        stop = threading.Event()
        first_time = threading.Event()
        filler = self.path / "filler"

        for log in self.path.glob("logs/*.log"):  # what is left of its last page would take some more lines
            with log.open("ab") as file:
                file.write(b"\n" * (-log.stat().st_size % PAGE_BYTES))

        def keep_full() -> None:
            with filler.open("ab", buffering=0) as file:
                while not stop.is_set():
                    for size in (1 << 20, 1 << 12, 1):
                        with contextlib.suppress(OSError):
                            while file.write(b"\0" * size):
                                pass
                    first_time.set()
                    stop.wait(0.01)

        thread = threading.Thread(target=keep_full)
        thread.start()
        try:
            assert first_time.wait(20)
            with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
                (self.path / "one-more").write_bytes(b"x")
            yield
        finally:
            stop.set()
            thread.join()
            filler.unlink()
            (self.path / "one-more").unlink(missing_ok=True)

    def unmount(self) -> None:
        """Away with it."""
        subprocess.run(["umount", "--lazy", self.path], check=True)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        why = "only root can mount a small disk"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    disk = SmallDisk(tmp_path_factory.mktemp("disk"))
    yield disk
    disk.unmount()


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture(scope="module")
def stack(fake: FakeAnthropic, disk: SmallDisk) -> Iterator[Stack]:
    with Stack(
        PILOT_RUN_DIR=str(disk.path),
        ANTHROPIC_API_KEY=KEY,
        ANTHROPIC_BASE_URL=fake.base_url,
        CLAUDE_PROBE_SECONDS="1",
    ) as stack:
        yield stack


def ask_anew(stack: Stack, dialect: Dialect, *, streamed: bool, model: str = "pilot", question: str = "Full?") -> str:
    """One request over a connection of its own, judged."""
    with httpx.Client(base_url=stack.url, trust_env=False) as client:
        exchange = ask(client, dialect, question, streamed=streamed, model=model, max_tokens=4)
        return exchange.verdict if exchange.verdict in ("claude", "local") else f"{exchange.verdict}: {exchange.detail}"


def test_answers_go_on(stack: Stack, disk: SmallDisk) -> None:
    """Of both backends, in both dialects, whole and streamed, over old connections and new ones; and the page too."""
    stack.wait_for_backend("claude", 30)
    fates: Counter[tuple[str, str]] = Counter()

    def keep_asking(backend: str, until: float) -> None:
        model = "pilot" if backend == "claude" else "local"
        while time.monotonic() < until:
            for dialect in DIALECTS:
                for streamed in (False, True):
                    fates[backend, ask_anew(stack, dialect, streamed=streamed, model=model)] += 1
                    kept = ask(stack.client, dialect, "Full?", streamed=streamed, model=model, max_tokens=4)
                    fates[backend, kept.verdict] += 1

    with disk.full():
        until = time.monotonic() + FULL_SECONDS
        people = [threading.Thread(target=keep_asking, args=(backend, until)) for backend in ("claude", "local")]
        for person in people:
            person.start()
        while time.monotonic() < until:
            for path in ("/", "/status", "/v1/models"):
                fates["page", str(httpx.get(f"{stack.url}{path}", trust_env=False, timeout=20).status_code)] += 1
        for person in people:
            person.join()
    print(f"\nwhile the disk was full: {dict(fates)}")
    assert set(fates) == {("claude", "claude"), ("local", "local"), ("page", "200")}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_ordinary_body_needs_no_disk(stack: Stack, disk: SmallDisk, dialect: Dialect) -> None:
    """Nearly a megabyte: a conversation longer than Claude's window."""
    stack.wait_for_backend("claude", 30)
    with disk.full():
        assert ask_anew(stack, dialect, streamed=False, question="x" * 990_000) == "claude"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_does_not_fit_is_refused_in_words(stack: Stack, disk: SmallDisk, dialect: Dialect) -> None:
    """507, with what to do, in the caller's dialect; the next small request is answered, and a metric says it too."""
    stack.wait_for_backend("claude", 30)
    body = {"model": "pilot", "messages": [{"role": "user", "content": "x" * 3_000_000}], "max_tokens": 4}
    with disk.full():
        response = stack.client.post(PATHS[dialect], json=body)
        assert ask_anew(stack, dialect, streamed=False) == "claude"
        free = re.search(r'pilotlight_disk_free_bytes\{directory="run"\} (.*)', stack.metrics("gateway"))
        assert free is not None
        assert float(free[1]) < PAGE_BYTES
    document = response.json()
    assert (response.status_code, document.get("type") == "error") == (507, dialect == "anthropic")
    assert document["error"]["type"] == ("api_error" if dialect == "anthropic" else "server_error")
    assert "disk is full" in document["error"]["message"]
    assert stack.client.post(PATHS[dialect], json=body).status_code == 200  # there is space again


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_comes_back_on_a_full_disk(stack: Stack, disk: SmallDisk, service: str) -> None:
    """It starts again although it can write nothing."""
    stack.wait_for_backend("claude", 30)
    process = stack.room(service)
    with disk.full():
        process.kill()
        wait_for(f"{service} is new", lambda: stack.room(service).pid != process.pid, 40)
        wait_for("Claude answers", lambda: ask_anew(stack, "openai", streamed=False) == "claude", 40)
        wait_for("local answers", lambda: ask_anew(stack, "openai", streamed=False, model="local") == "local", 40)


def test_when_there_is_space_again_all_is_well(stack: Stack, disk: SmallDisk) -> None:
    """Nothing has to be started anew: the logs and the history go on."""
    stack.wait_for_backend("claude", 30)
    before = {service: stack.room(service).pid for service in SERVICES}
    log = stack.run_dir / "logs" / "nginx.log"
    earlier_log = log.with_suffix(".log.1")
    wait_for("all lines are in it", lambda: time.time() - log.stat().st_mtime > 2 * LOG_FLUSH_SECONDS)
    with log.open("ab") as file:  # the next line makes it due to be changed, which needs space too
        file.write(b"\n" * (LOG_BYTES - 1 - log.stat().st_size))
    with disk.full():
        until = time.monotonic() + 3 * LOG_FLUSH_SECONDS
        while time.monotonic() < until:
            assert stack.client.get("/status/badge.svg", timeout=10).status_code == 200
            time.sleep(0.2)  # the pace: few lines at a time stay in a buffer that cannot be written
        assert not earlier_log.exists()

    def logged() -> bool:
        stack.client.get("/status/badge.svg")
        return earlier_log.exists() and log.stat().st_size > 0

    wait_for("the log was changed and goes on", logged)
    assert {service: stack.room(service).pid for service in SERVICES} == before
