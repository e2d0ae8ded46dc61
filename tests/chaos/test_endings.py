"""Everything ends cleanly: what is told to stop finishes what it is saying, and who leaves stops the work for him."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from chaos.exchange import DIALECTS, PATHS, Dialect, Exchange, ask
from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack, wait_for

STREAM_SECONDS = 3.0
LEFT_SECONDS = 5.0  # patience of a loaded machine; how long it takes is printed


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture(scope="module")
def stack(fake: FakeAnthropic) -> Iterator[Stack]:
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=fake.base_url) as stack:
        yield stack


@contextlib.contextmanager
def streaming(stack: Stack, fake: FakeAnthropic) -> Iterator[list[Exchange]]:
    """A stream of Claude's is under way in the block; the list has it when the block is left."""
    fake.script(chunks=30, chunk_interval_seconds=STREAM_SECONDS / 30)
    read: list[Exchange] = []
    with httpx.Client(base_url=stack.url, trust_env=False) as client:
        reader = threading.Thread(target=lambda: read.append(ask(client, "openai", "Slowly, please.", streamed=True)))
        before = fake.stats()["streams_open"]
        reader.start()
        wait_for("the stream has begun", lambda: fake.stats()["streams_open"] > before)
        try:
            yield read
        finally:
            reader.join()
            fake.reset()


@pytest.mark.parametrize("room", ["gateway", "claude-adapter", "nginx"])
def test_a_room_that_is_told_to_stop_finishes_its_stream(stack: Stack, fake: FakeAnthropic, room: str) -> None:
    """And others are answered meanwhile; the supervisor has it back afterwards."""
    stack.wait_for_backend("claude", 30)
    process = stack.room(room)
    with streaming(stack, fake) as read:
        process.send_signal(signal.SIGQUIT if room == "nginx" else signal.SIGTERM)
        if room != "nginx":  # it is the door: its port is closed until its supervisor opens the next
            assert stack.ask("And I?").status_code == 200
    assert read[0].verdict == "claude", read[0]
    wait_for(f"{room} is new", lambda: stack.room(room).pid != process.pid, 40)
    wait_for("it answers", lambda: answers(stack), 40)


def test_the_local_model_that_is_told_to_stop_finishes_its_stream(stack: Stack, fake: FakeAnthropic) -> None:
    """The only brain there is, in the middle of an answer."""
    process = stack.room("local-llm")
    with stack.client.stream("POST", PATHS["openai"], json=asking_local(max_tokens=60)) as response:
        lines = response.iter_lines()
        first_words(lines)
        process.send_signal(signal.SIGTERM)
        rest = [line for line in lines if line]
    assert rest[-1] == "data: [DONE]"
    assert any('"finish_reason":"' in line for line in rest)
    wait_for("local is new", lambda: stack.room("local-llm").pid != process.pid, 40)
    wait_for("local answers", lambda: stack.status()["local"]["ready"], 40)


def test_the_stack_that_is_told_to_stop_finishes_its_streams(fake: FakeAnthropic) -> None:
    """Ctrl-C in the middle of an answer: it is read to its end first."""
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=fake.base_url) as stack:
        stack.wait_for_backend("claude", 30)
        with streaming(stack, fake) as read:
            stack.process.send_signal(signal.SIGINT)
        assert read[0].verdict == "claude", read[0]
        assert stack.process.wait(60) == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_who_leaves_claude_stops_it(stack: Stack, fake: FakeAnthropic, dialect: Dialect) -> None:
    """The connection to Anthropic is cut, so that no more tokens are made and paid for."""
    stack.wait_for_backend("claude", 30)
    fake.script(chunks=1000, chunk_interval_seconds=0.02)
    body = {
        "model": "pilot",
        "messages": [{"role": "user", "content": "For ever."}],
        "stream": True,
        "max_tokens": 4000,
    }
    with stack.client.stream("POST", PATHS[dialect], json=body) as response:
        first_words(response.iter_lines())
    left = time.monotonic()
    wait_for("no stream is open", lambda: fake.stats()["streams_open"] == 0, LEFT_SECONDS)
    print(f"\nClaude stopped {time.monotonic() - left:.2f} s after the client left ({dialect})")
    fake.reset()


def test_who_leaves_the_local_model_stops_it(stack: Stack) -> None:
    """The token counter comes to rest, and the queue is empty."""
    with stack.client.stream("POST", PATHS["openai"], json=asking_local(max_tokens=2000)) as response:
        first_words(response.iter_lines())
    left = time.monotonic()
    wait_for("nobody is in the queue", lambda: gauge(stack, "pilotlight_local_queue_depth") == 0, LEFT_SECONDS)
    print(f"\nthe local model stopped {time.monotonic() - left:.2f} s after the client left")
    generated = gauge(stack, "pilotlight_local_generated_tokens_total")
    assert stack.ask("And now?", model="local", max_tokens=1).status_code == 200
    assert gauge(stack, "pilotlight_local_generated_tokens_total") <= generated + 1


def asking_local(*, max_tokens: int) -> dict[str, object]:
    """A request that the local model answers at length."""
    story = [{"role": "user", "content": "Tell me a very long story about the sea."}]
    return {"model": "local", "messages": story, "stream": True, "max_tokens": max_tokens}


def first_words(lines: Iterator[str]) -> None:
    """Read up to the first words."""
    for line in lines:
        if '"content":"' in line.replace('"content":""', "") or '"text_delta"' in line:
            return
    raise AssertionError("the stream ended without a word")


def gauge(stack: Stack, series: str) -> float:
    """One series of local-llm's."""
    for line in stack.metrics("local-llm").splitlines():
        if line.startswith(f"{series} "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no {series}")


def answers(stack: Stack) -> bool:
    """Whether the door is open and somebody answers."""
    try:
        return stack.ask("Are you there?", max_tokens=1).status_code == 200
    except httpx.TransportError:
        return False
