"""Claude Code, the real program: in every state, in a tool loop, and compacting."""

import subprocess
from pathlib import Path

import pytest

from clients import talk
from clients.conftest import Rows
from clients.environments import node_environment
from clients.test_clients import one_line, through_the_states
from fake_anthropic.process import FakeAnthropic
from stack import KEY, Stack

pytestmark = pytest.mark.timeout(300)  # its environment may have to be built first

SUMMARY = "They spoke of the harbour of Lisbon."
REFUSED = 'pilotlight_refused_side_tasks_total{client="claude_code",task="compaction"}'


class ClaudeCode:
    """One conversation, a turn at a time, in a home of its own: without telemetry, updates, or a way past us."""

    def __init__(self, home: Path, base_url: str) -> None:
        _, folder = node_environment("claude-code")
        (program,) = folder.glob("node_modules/@anthropic-ai/claude-code-*/claude")
        self._program, self._home = program, home
        self._environment = talk.environment() | {
            "HOME": str(home),
            "ANTHROPIC_BASE_URL": base_url,
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "HTTPS_PROXY": "http://127.0.0.1:9",  # nobody
            "NO_PROXY": "127.0.0.1",
        }
        self._begun = False

    def run(self, text: str, *arguments: str) -> tuple[int, str]:
        """One turn; the exit code and what it printed. Fails when it has not ended after a minute."""
        go_on = ["--continue"] if self._begun else []
        self._begun = True
        done = subprocess.run(
            [str(self._program), "--print", *go_on, text, *arguments],
            cwd=self._home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).strip()

    def ask(self, text: str, *arguments: str) -> str:
        """One turn that goes well."""
        code, printed = self.run(text, *arguments)
        assert code == 0, printed
        return printed


def conversation(claude: FakeAnthropic) -> str:
    """The conversation, as Claude was sent it last."""
    return str([each for each in claude.requests() if each["path"].startswith("/v1/messages")][-1]["body"]["messages"])


def test_a_conversation_through_an_outage(good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path) -> None:
    """Claude, an outage, Claude, a cut, Claude, a tool; its notes of role `system` are taken by both brains."""
    client = ClaudeCode(tmp_path, good.url)
    for state, printed in through_the_states(client.ask, good, claude):
        rows.append(("Claude Code", "messages", state, one_line(printed)))
    assert "'role': 'system'" in conversation(claude)

    wanted = 'use tool Bash with {"command": "echo swordfish", "description": "says a word"}'
    printed = client.ask(wanted, "--allowedTools", "Bash(echo *)")
    rows.append(("Claude Code", "messages", "Claude, a tool", one_line(printed)))
    assert printed == "Claude here. The tool said: swordfish"


def test_compaction(good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path) -> None:
    """In an outage `/compact` ends with our sentence and the conversation is whole; with Claude it compacts."""
    client = ClaudeCode(tmp_path, good.url)
    client.ask("Tell me about the harbour of Lisbon.")

    claude.script(status=529)
    _, printed = client.run("/compact")
    rows.append(("Claude Code", "/compact", "outage", one_line(printed)))
    assert "Error during compaction" in printed
    assert "compaction" in printed.replace("Error during compaction", "", 1), "our sentence says what was refused"
    assert f"{REFUSED} 1.0" in good.metrics("gateway")

    claude.reset()
    good.wait_for_backend("claude")
    assert client.ask("Still there?") == "Claude here. You said: Still there?"
    assert "Tell me about the harbour of Lisbon." in conversation(claude)
    assert "Claude here. You said: Tell me about the harbour of Lisbon." in conversation(claude)

    claude.script(text=f"<summary>{SUMMARY}</summary>")
    assert client.run("/compact")[0] == 0
    claude.reset()
    client.ask("Go on.")
    assert SUMMARY in conversation(claude)
    assert "Tell me about the harbour" not in conversation(claude)

    claude.script(status=529)  # what it sends after a compaction is taken by the local model, too
    assert "Paris" in client.ask("What is the capital of France?")
