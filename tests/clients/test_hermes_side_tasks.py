"""What Hermes does by itself, with its default configuration, is Claude's or nobody's: an outage costs it nothing."""

import re
from pathlib import Path

import pytest

from clients.conftest import Rows
from clients.hermes import ADDRESS, CHAT, MESSAGES, SIDE_TASKS, Hermes
from clients.test_clients import one_line
from fake_anthropic.process import FakeAnthropic
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import Stack

pytestmark = pytest.mark.timeout(300)  # its environment may have to be built first

COMPACTED = "[CONTEXT COMPACTION"  # how Hermes begins the message that takes the place of others
SUMMARY = "They spoke of the harbour of Lisbon."
TASKS = {"title", "approval", "goal_judge", "goal_draft", "memory_query", "web_extract", "compaction"}


def refused(stack: Stack) -> dict[str, float]:
    """How often each of Hermes' tasks was refused since the start."""
    counted = r'^pilotlight_refused_side_tasks_total\{client="hermes",task="(\w+)"\} (\S+)$'
    return {task: float(count) for task, count in re.findall(counted, stack.metrics("gateway"), re.MULTILINE)}


def test_a_conversation_over_its_threshold_is_kept(
    good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path
) -> None:
    """121 messages, Claude refuses: 121 messages afterwards, none of them ours. Claude is well: it compacts them."""
    hermes = Hermes(tmp_path, MESSAGES.replace(ADDRESS, good.url))
    before = hermes.session("fill", "120", "5200")["texts"]
    hermes.go_on()

    claude.script(status=529)
    answer = hermes.ask("What is the capital of France?")
    rows.append(("Hermes", "121 messages", "outage", one_line(answer)))
    assert "Paris" in answer
    after = hermes.session("show")["texts"]
    assert after[:121] == [*before, "What is the capital of France?"]
    assert not [text for text in after[:121] if COMPACTED in text or NOTICE in text]
    assert len(after) == 122, "the local model's answer"

    hermes.session("forget")
    claude.reset()
    good.wait_for_backend("claude")
    claude.script(text=SUMMARY)
    hermes.ask("And of Spain?")
    after = hermes.session("show")["texts"]
    rows.append(("Hermes", "121 messages", "Claude is back", f"{len(after)} messages"))
    assert len(after) < 121
    (summary,) = [text for text in after if COMPACTED in text]
    assert SUMMARY in summary


@pytest.mark.parametrize(
    "configuration", [MESSAGES, CHAT, MESSAGES + SIDE_TASKS], ids=["messages", "chat", "by address"]
)
def test_each_side_task(configuration: str, good: Stack, claude: FakeAnthropic, rows: Rows, tmp_path: Path) -> None:
    """In an outage the local model writes none of them: no title, no verdict, no summary; each refusal is counted."""
    hermes = Hermes(tmp_path, configuration.replace(ADDRESS, good.url))
    before = refused(good)
    claude.script(status=529)
    came_of_it = hermes.session("tasks")
    rows.append(("Hermes", "its side tasks", "outage", one_line(str(came_of_it))))
    assert came_of_it == {
        "title": None,
        "approval": ["escalate", "escalate", "escalate"],
        "goal_judge": "continue",
        "goal_draft": False,
        "memory_query": "",
        "web_extract": "- text: Lisbon [ref=e1]",
        "compaction": None,
        "compaction_gave_up": True,
    }
    assert {task for task, count in refused(good).items() if count > before.get(task, 0)} == TASKS


def test_with_claude_they_are_done(good: Stack, claude: FakeAnthropic, tmp_path: Path) -> None:
    """Nothing stands in their way while Claude is well."""
    hermes = Hermes(tmp_path, MESSAGES.replace(ADDRESS, good.url))
    claude.script(text="Escalate?")
    came_of_it = hermes.session("tasks")
    assert came_of_it["title"] == "Escalate?"
    assert came_of_it["web_extract"].startswith("Escalate?")
    assert came_of_it["compaction"].endswith("Escalate?")
