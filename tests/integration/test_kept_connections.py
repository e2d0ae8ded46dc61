"""Connections inside are kept: many requests over few of them, and one that has died costs nobody an answer."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack, wait_for

REQUESTS = 40
AT_ONCE = 4
# Two workers of nginx, AT_ONCE requests in each: all that can be open at the same time.
HANDFUL = 2 * AT_ONCE
SOCKETS = ("gateway.sock", "brains.sock", "claude.sock", "local.sock")
DIALECTS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "responses": "/v1/responses"}


class CountedSocket:
    """Takes a service's place at its socket and passes everything on to it, counting connections that carry requests.

    What asks for health or state is passed on and not counted.
    """

    def __init__(self, path: Path) -> None:
        self.connections = 0
        self.requests = 0
        self.hang_up = False  # on the next request that comes over a kept connection, without an answer
        self._path = path
        self._behind = path.with_suffix(".behind")
        self._open: list[socket.socket] = []
        path.rename(self._behind)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def counts(self) -> tuple[int, int]:
        """Connections and requests since the start."""
        return self.connections, self.requests

    def cut(self) -> None:
        """Every connection through here ends now, as if the service had ended them."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the service its place back."""
        self._behind.rename(self._path)
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(self._behind))
                self._open += [near, far]
                threading.Thread(target=self._pass, args=(near, far), kwargs={"counted": True}, daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, *, counted: bool = False) -> None:
        carries_requests = False
        with contextlib.suppress(OSError), source:
            while piece := source.recv(1 << 16):
                if counted and piece.startswith(b"POST "):
                    self.requests += 1
                    if carries_requests and self.hang_up:
                        self.hang_up = False
                        break
                    self.connections += not carries_requests
                    carries_requests = True
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def stack(_anthropic: FakeAnthropic) -> Iterator[Stack]:
    """A stack of this file's own, whose sockets are counted."""
    _anthropic.reset()
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=_anthropic.base_url, CLAUDE_PROBE_SECONDS="1") as stack:
        yield stack


@pytest.fixture(scope="module")
def counted(stack: Stack) -> Iterator[dict[str, CountedSocket]]:
    """Each service's socket, counted."""
    sockets = {name: CountedSocket(stack.run_dir / name) for name in SOCKETS}
    master = stack.room("nginx")
    workers = set(master.children())
    master.send_signal(signal.SIGHUP)  # new workers, and so no connection from before
    wait_for("the old workers are gone", lambda: not workers & set(master.children()))
    yield sockets
    for each in sockets.values():
        each.close()


def request(dialect: str, *, streamed: bool, model: str = "pilot") -> dict[str, object]:
    """A small request in the dialect."""
    if dialect == "responses":
        return {"model": model, "input": "Say one word.", "max_output_tokens": 16, "stream": streamed}
    messages = [{"role": "user", "content": "Say one word."}]
    return {"model": model, "messages": messages, "max_tokens": 16 if model == "pilot" else 2, "stream": streamed}


def ask_many(stack: Stack, path: str, body: dict[str, object], served_by: str) -> None:
    """REQUESTS of them, AT_ONCE at the same time; every one is answered by this backend."""
    answers: list[tuple[int, str | None]] = []

    def keep_asking() -> None:
        with httpx.Client(base_url=stack.url, trust_env=False, timeout=60) as client:
            for _ in range(REQUESTS // AT_ONCE):
                response = client.post(path, json=body, headers={"anthropic-version": "2023-06-01"})
                answers.append((response.status_code, response.headers.get("X-Served-By")))

    askers = [threading.Thread(target=keep_asking) for _ in range(AT_ONCE)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert set(answers) == {(200, served_by)}
    assert len(answers) == REQUESTS


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("backend", ["claude", "local"])
def test_many_requests_need_few_connections(
    stack: Stack, counted: dict[str, CountedSocket], backend: str, dialect: str, streamed: bool
) -> None:
    """On every hop: edge to gateway, gateway to nginx' upstream, and from there to the backend."""
    stack.wait_for_backend("claude")
    before = {name: counted[name].counts for name in SOCKETS}
    model = "pilot" if backend == "claude" else "local"
    ask_many(stack, DIALECTS[dialect], request(dialect, streamed=streamed, model=model), backend)
    way = ("gateway.sock", "brains.sock", "claude.sock" if backend == "claude" else "local.sock")
    for name in way:
        connections, requests = (now - then for now, then in zip(counted[name].counts, before[name], strict=True))
        assert requests == REQUESTS, name
        assert connections <= HANDFUL, name


@pytest.mark.parametrize("name", SOCKETS)
def test_a_dead_connection_costs_no_answer(stack: Stack, counted: dict[str, CountedSocket], name: str) -> None:
    """All idle connections of a service end, again and again, while people ask: each is answered by whom it asked."""
    stack.wait_for_backend("claude")
    _, before = counted[name].counts
    model = "local" if name == "local.sock" else "pilot"
    for dialect, path in DIALECTS.items():
        body = request(dialect, streamed=False, model=model)
        for _ in range(5):
            response = stack.client.post(path, json=body, headers={"anthropic-version": "2023-06-01"})
            served_by = "local" if model == "local" else "claude"
            assert (response.status_code, response.headers["X-Served-By"]) == (200, served_by)
            counted[name].cut()
    assert counted[name].counts[1] - before == 5 * len(DIALECTS)


@pytest.mark.parametrize("name", SOCKETS)
def test_a_connection_that_dies_under_a_request_costs_no_answer(
    stack: Stack, counted: dict[str, CountedSocket], name: str
) -> None:
    """The service hangs up at the moment of asking. Another connection is tried, or what stands behind it."""
    stack.wait_for_backend("claude")
    for dialect, path in DIALECTS.items():
        body = request(dialect, streamed=False, model="local" if name == "local.sock" else "pilot")
        for _ in range(4):  # by then each worker of nginx keeps a connection
            stack.client.post(path, json=body).raise_for_status()
        counted[name].hang_up = True
        statuses = [stack.client.post(path, json=body).status_code for _ in range(4)]
        only_the_gateway = (name, dialect) == ("gateway.sock", "responses")  # it alone translates them
        assert statuses == [503 if only_the_gateway else 200, 200, 200, 200]
        assert not counted[name].hang_up, "no connection was kept"
