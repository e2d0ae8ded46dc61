"""The clients that people use, each run for real: with Claude, in an outage, in a cut, and with Claude back."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from clients import talk
from clients.conftest import Rows
from clients.talk import Talk
from fake_anthropic.process import FakeAnthropic
from gateway.relay.rescue import RESCUE_LINE
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import Stack

pytestmark = pytest.mark.timeout(300)  # an environment may have to be built first

CAPITAL = "What is the capital of France?"


class Client(NamedTuple):
    """A program, and the environment it runs in.

    `country`: no two conversations begin alike, or the second would not be told. `sdk`: lists models, and names errors.
    """

    name: str
    mode: str
    environment: str
    program: str
    country: str
    argument: str = ""
    sdk: bool = False


SDKS = [
    Client("openai 3 (Python)", "chat", "openai", "openai_chat.py", "Italy", sdk=True),
    Client("openai 3 (Python)", "responses", "openai", "openai_responses.py", "Spain", sdk=True),
    Client("openai 2 (Python)", "chat", "openai-2", "openai_chat.py", "Germany", sdk=True),
    Client("openai 2 (Python)", "responses", "openai-2", "openai_responses.py", "England", sdk=True),
    Client("anthropic 2 (Python)", "messages", "anthropic", "anthropic_messages.py", "Japan", sdk=True),
    Client("anthropic 1 (Python)", "messages", "anthropic-1", "anthropic_messages.py", "Poland", sdk=True),
    Client("openai (npm)", "chat", "node-clients", "openai.mjs", "Greece", sdk=True),
    Client("@anthropic-ai/sdk (npm)", "messages", "node-clients", "anthropic.mjs", "Russia", sdk=True),
    Client("Vercel AI", "openai-compatible", "node-clients", "ai.mjs", "China", "openai"),
    Client("Vercel AI", "anthropic", "node-clients", "ai.mjs", "Egypt", "anthropic"),
    Client("LangChain", "openai", "langchain", "langchain_chat.py", "Portugal", "openai"),
    Client("LangChain", "anthropic", "langchain", "langchain_chat.py", "Austria", "anthropic"),
]


@pytest.fixture(params=SDKS, ids=lambda client: f"{client.name}, {client.mode}")
def client(request: pytest.FixtureRequest) -> Client:
    """Each in turn."""
    chosen: Client = request.param
    return chosen


def test_a_library_goes_through_an_outage(client: Client, good: Stack, claude: FakeAnthropic, rows: Rows) -> None:
    """One conversation: Claude, a tool, an outage, Claude again, a cut, Claude again."""

    def note(state: str, text: str) -> str:
        rows.append((client.name, client.mode, state, one_line(text)))
        return text

    arguments = [client.argument] if client.argument else []
    with Talk(client.environment, client.program, *arguments, base_url=good.url) as led:
        led("new")
        if client.sdk:
            assert {"claude-sonnet-5-5", "local"} <= set(led("models")["text"].split())
            refused = led("wrong")
            assert (refused["error"], refused["status"]) == ("BadRequestError", 400), refused
            note("refused", refused["message"])

        assert note("Claude", led.say("ask", "Say hello.")).startswith("Claude here. You said: Say hello.")
        assert led.say("stream", "Say it again.") == "Claude here. You said: Say it again."
        told = note("Claude, a tool", led.say("tool", 'Now use tool lookup with {"city": "Rome"}'))
        assert "22 degrees in Rome" in told

        claude.script(status=529)
        degraded = led("ask", CAPITAL)
        note("outage", degraded["text"])
        assert degraded["text"].startswith(NOTICE + "\n\n")
        assert "Paris" in degraded["text"]
        assert degraded["model"] == good.status()["local"]["model"]
        assert not led.say("stream", "And of Italy?").startswith(NOTICE), "once for each outage of a conversation"

        claude.reset()
        good.wait_for_backend("claude")
        assert led.say("ask", "Are you back?").startswith("Claude here.")

        claude.script(chunks=20, chunk_interval_seconds=0.02, cut="reset", cut_after_events=6)
        rescued = note("cut", led.say("stream", CAPITAL))
        assert rescued.startswith("Claude here.")
        assert RESCUE_LINE in rescued
        assert rescued.partition(RESCUE_LINE)[2].strip(), "the local model goes on"

        claude.reset()
        good.wait_for_backend("claude")
        assert note("Claude is back", led.say("stream", "Still there?")) == "Claude here. You said: Still there?"
        assert_nothing_of_ours_in(claude)

        led("new")
        claude.script(status=401)
        assert led.say("stream", f"What is the capital of {client.country}?").startswith(NOTICE + "\n\n")


def assert_nothing_of_ours_in(claude: FakeAnthropic) -> None:
    """What Claude was sent last holds the whole conversation, without our sentences."""
    sent = str([each for each in claude.requests() if each["path"].startswith("/v1/messages")][-1]["body"])
    assert CAPITAL in sent
    assert NOTICE not in sent
    assert RESCUE_LINE.strip() not in sent


def one_line(text: str) -> str:
    """For the table."""
    flat = " / ".join(line.strip() for line in text.replace(NOTICE, "[notice]").splitlines() if line.strip())
    return flat if len(flat) <= 150 else flat[:147] + "..."


def through_the_states(ask: Callable[[str], str], good: Stack, claude: FakeAnthropic) -> list[tuple[str, str]]:
    """A command line, asked in each state; what it printed."""
    printed = [("Claude", ask("Say hello."))]
    claude.script(status=529)
    printed.append(("outage", ask(CAPITAL)))
    claude.reset()
    good.wait_for_backend("claude")
    claude.script(chunks=20, chunk_interval_seconds=0.02, cut="reset", cut_after_events=6)
    printed.append(("cut", ask(f"Once more: {CAPITAL}")))
    claude.reset()
    good.wait_for_backend("claude")
    printed.append(("Claude is back", ask("Still there?")))
    said = dict(printed)
    assert "Claude here." in said["Claude"]
    assert NOTICE in unwrapped(said["outage"])
    assert "Paris" in said["outage"]
    assert "Claude here." in said["cut"]
    assert RESCUE_LINE.strip() in unwrapped(said["cut"])
    assert "Claude here." in said["Claude is back"]
    assert_nothing_of_ours_in(claude)
    return printed


def unwrapped(text: str) -> str:
    """Without the line breaks a program makes to fit its window."""
    return " ".join(text.split())


def test_llm(good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path) -> None:
    """Simon Willison's llm, whose models are named in a file."""
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: pilot\n  model_name: pilot\n  api_base: {good.url}/v1\n"
    )
    first = True

    def ask(text: str) -> str:
        nonlocal first
        arguments = ["-m", "pilot", "--key", "none"] if first else ["--continue", "--key", "none"]
        first = False
        return talk.run("llm", "llm", *arguments, text, cwd=tmp_path, LLM_USER_PATH=str(tmp_path))

    for state, printed in through_the_states(ask, good, claude):
        rows.append(("llm", "openai", state, one_line(printed)))


def test_aider(good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path) -> None:
    """Aider asks in a repository of its own, and keeps what was said in a file."""
    home = tmp_path / "home"
    prices = home / ".aider" / "caches" / "model_prices_and_context_window.json"  # or it would ask the internet
    prices.parent.mkdir(parents=True)
    prices.write_text('{"none": {}}')

    def ask(text: str) -> str:
        return talk.run(
            "aider", "aider", "--message", text, "--model", "openai/claude-sonnet-5-5",
            "--openai-api-base", f"{good.url}/v1", "--openai-api-key", "none", "--chat-mode", "ask",
            "--restore-chat-history", "--no-git", "--no-check-update", "--analytics-disable",
            "--no-show-model-warnings", "--no-show-release-notes", "--no-pretty", "--no-fancy-input", "--yes-always",
            "--map-tokens", "0",
            cwd=tmp_path, HOME=str(home), LITELLM_LOCAL_MODEL_COST_MAP="True",
        )  # fmt: skip

    for state, printed in through_the_states(ask, good, claude):
        rows.append(("aider", "openai", state, one_line(printed[printed.index("Repo-map") :])))
