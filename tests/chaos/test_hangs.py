"""A room that hangs accepts connections and says nothing: nobody waits for it long, and it is ended and replaced."""

from collections.abc import Iterator

import pytest

from chaos.exchange import Dialect, ask
from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack, wait_for


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeAnthropic]:
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture(scope="module")
def stack(fake: FakeAnthropic) -> Iterator[Stack]:
    with Stack(ANTHROPIC_API_KEY=KEY, ANTHROPIC_BASE_URL=fake.base_url, CLAUDE_PROBE_SECONDS="1") as stack:
        yield stack


@pytest.mark.parametrize("room", ["gateway", "claude-adapter", "local-llm", "a worker of nginx"])
def test_a_frozen_room_is_ended_and_everybody_answered(stack: Stack, fake: FakeAnthropic, room: str) -> None:
    """Asked throughout; also who was caught in it has an answer (but not from a door that is frozen)."""
    fake.reset()
    stack.wait_for_backend("claude", 30)
    wait_for("local is ready", lambda: stack.status()["local"]["ready"], 40)
    process = stack.room("nginx").children()[0] if room.endswith("nginx") else stack.room(room)
    process.suspend()

    def ended() -> bool:
        exchange = ask(stack.client, "openai", f"{room} is frozen.", streamed=False, max_tokens=4)
        assert exchange.verdict in ("claude", "local") or room.endswith("nginx"), exchange
        return not process.is_running()

    wait_for(f"{room} was ended", ended, 60)
    stack.wait_for_backend("claude", 30)


@pytest.mark.parametrize(
    ("dialect", "streamed"), [("openai", True), ("anthropic", False)], ids=["openai, stream", "anthropic, whole"]
)
def test_two_brains_down_and_one_of_them_frozen(
    stack: Stack, fake: FakeAnthropic, dialect: Dialect, streamed: bool
) -> None:
    """Last words instead of a wait for the frozen one; afterwards it answers by itself."""
    fake.script(refuse=True)
    wait_for("local answers", lambda: ask(stack.client, dialect, "You?", streamed=False).verdict == "local", 40)
    local = stack.room("local-llm")
    local.suspend()
    exchange = ask(stack.client, dialect, "Anybody?", streamed=streamed)
    assert exchange.verdict in ("refused", "broken off"), exchange
    wait_for("local was ended", lambda: not local.is_running(), 60)
    wait_for("local answers", lambda: ask(stack.client, dialect, "You?", streamed=False).verdict == "local", 40)
    fake.reset()
