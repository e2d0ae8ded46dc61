"""Hermes, the real program, by the configurations that docs/hermes.md shows: what a person sees of an outage."""

from pathlib import Path

import httpx
import pytest

from clients.conftest import Rows
from clients.hermes import ADDRESS, CHAT, ELSEWHERE, FALLBACK, HEADERS, MESSAGES, PATIENT, Hermes
from clients.test_clients import assert_nothing_of_ours_in, one_line, through_the_states, unwrapped
from fake_anthropic.process import FakeAnthropic
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import Stack

pytestmark = pytest.mark.timeout(300)  # its environment may have to be built first


@pytest.mark.parametrize(("mode", "configuration"), [("anthropic_messages", MESSAGES), ("chat_completions", CHAT)])
def test_a_conversation_through_an_outage(
    mode: str, configuration: str, good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path
) -> None:
    """Claude, an outage, Claude, a cut, Claude; and a tool of Hermes' own in between."""
    assert f"api_mode: {mode}" in configuration
    hermes = Hermes(tmp_path, (configuration + PATIENT).replace(ADDRESS, good.url))
    for state, printed in through_the_states(hermes.ask, good, claude):
        rows.append(("Hermes", mode, state, one_line(printed)))

    (tmp_path / "note.txt").write_text("The password is swordfish.")
    printed = hermes.ask(f'use tool read_file with {{"path": "{tmp_path}/note.txt"}}')
    rows.append(("Hermes", mode, "Claude, a tool", one_line(printed)))
    assert "The tool said" in printed
    assert "The password is swordfish." in printed
    assert_nothing_of_ours_in(claude)
    assert {each["status"] for each in claude.requests() if each["path"].startswith("/v1/messages")} <= {200, 529, None}


def test_our_headers_by_its_configuration(good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path) -> None:
    """The header that the page shows does what it says."""
    claude.script(status=529)
    printed = Hermes(tmp_path, HEADERS.replace(ADDRESS, good.url)).ask("What is the capital of France?")
    rows.append(("Hermes", "default_headers", "outage", one_line(printed)))
    assert "Paris" in printed
    assert NOTICE not in unwrapped(printed)


def test_its_own_fallback_comes_after_ours(claude: FakeAnthropic, rows: Rows, tmp_path: Path) -> None:
    """Not while Pilot Light answers, on whichever brain; when it is gone."""
    claude.reset()
    with (
        Stack(PILOT_NOTICE="This is another house.", PILOT_NOTICE_POLICY="always") as elsewhere,
        Stack(ANTHROPIC_BASE_URL=claude.base_url, ANTHROPIC_API_KEY="sk-ant-test") as ours,
    ):
        ours.wait_for_backend("claude")
        configuration = MESSAGES.replace(ADDRESS, ours.url) + FALLBACK.replace(ELSEWHERE, elsewhere.url)
        hermes = Hermes(tmp_path, configuration)
        claude.script(status=529)
        assert NOTICE in unwrapped(hermes.ask("What is the capital of Spain?"))
        assert "POST" not in (elsewhere.run_dir / "logs" / "nginx.log").read_text()
        ours.stop()
        printed = hermes.ask("And of Poland?")
        rows.append(("Hermes", "fallback_providers", "Pilot Light off", one_line(printed)))
        assert "This is another house." in printed


def test_its_api_server_in_front(good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path) -> None:
    """Whoever talks to Timmy through Hermes reads the same words."""

    def ask(client: httpx.Client, text: str, *, stream: bool = False) -> str:
        body = {"model": "hermes-agent", "messages": [{"role": "user", "content": text}], "stream": stream}
        response = client.post("/v1/chat/completions", json=body)
        assert response.status_code == 200, response.text
        return response.text if stream else str(response.json()["choices"][0]["message"]["content"])

    with Hermes(tmp_path, MESSAGES.replace(ADDRESS, good.url)).api_server() as client:
        said = ask(client, "Say hello.")
        rows.append(("Hermes", "its API server", "Claude", one_line(said)))
        assert said == "Claude here. You said: Say hello."
        claude.script(status=529)
        said = ask(client, "What is the capital of Norway?")
        rows.append(("Hermes", "its API server", "outage", one_line(said)))
        assert said.startswith(NOTICE + "\n\n")
        assert NOTICE.partition("—")[0] in ask(client, "What is the capital of Sweden?", stream=True)
