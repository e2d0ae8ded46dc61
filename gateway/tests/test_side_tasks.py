"""How a side task is recognised; the recorded requests of real clients are in the folder side_tasks."""

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from gateway.dialects.chat_completions.dialect import ChatCompletions
from gateway.dialects.interface import Dialect
from gateway.dialects.messages.dialect import Messages
from gateway.dialects.responses.dialect import Responses
from gateway.side_tasks import SideTask, SideTasks

Json = dict[str, Any]

BEGINNING = "You are a summarization agent"
TITLE = "Name this conversation in three words."


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def system(content: Any) -> Json:
    return {"role": "system", "content": content}


def part(text: str) -> Json:
    return {"type": "text", "text": text}


def recognise(shows: Json, body: Json, dialect: Dialect | None = None, agent: bytes = b"") -> SideTask | None:
    table = SideTasks({"task": [{"client": "c", "task": "t", "answer": 403, "shows": shows}]})
    body = {"model": "m", "max_tokens": 9, **body}
    request = (dialect or ChatCompletions()).read(orjson.dumps(body), "application/json")
    return table.recognise(request, {b"user-agent": agent})


ALONE = {"first_user": {"begins": BEGINNING}, "tools": False, "system_prompt": False, "messages": 1}
TOOLS = [{"type": "function", "function": {"name": "f"}}]

CHAT: list[tuple[str, Json, Json, bool]] = [
    # why it exists, what shows the task, the request, whether it is one
    ("the task", ALONE, {"messages": [user(f"{BEGINNING}. More.")]}, True),
    ("white space around", ALONE, {"messages": [user(f"\n  {BEGINNING}.")]}, True),
    ("in parts", ALONE, {"messages": [user([part("Hi"), part(BEGINNING)])]}, True),
    ("not at the beginning", ALONE, {"messages": [user(f"Explain: {BEGINNING}.")]}, False),
    ("another letter", ALONE, {"messages": [user(BEGINNING.lower())]}, False),
    ("a system prompt", ALONE, {"messages": [system("Hi"), user(BEGINNING)]}, False),
    ("tools", ALONE, {"messages": [user(BEGINNING)], "tools": TOOLS}, False),
    ("a conversation", ALONE, {"messages": [user(BEGINNING), {"role": "assistant", "content": "?"}, user("a")]}, False),
    ("of the assistant", ALONE, {"messages": [{"role": "assistant", "content": BEGINNING}]}, False),
    (
        "the end",
        {"first_user": {"begins": BEGINNING, "ends": "Write it."}},
        {"messages": [user(f"{BEGINNING} {'x' * 9000} Write it.\n")], "tools": TOOLS},
        True,
    ),
    (
        "another end",
        {"first_user": {"begins": BEGINNING, "ends": "Write it."}},
        {"messages": [user(f"{BEGINNING} Write it. Or not.")]},
        False,
    ),
    (
        "words within",
        {"first_user": {"begins": BEGINNING, "contains": ["ONE", "TWO"]}},
        {"messages": [user(f"{BEGINNING} ONE {'x' * 9000} TWO")]},
        True,
    ),
    (
        "words too far within",
        {"first_user": {"begins": BEGINNING, "contains": "ONE"}},
        {"messages": [user(f"{BEGINNING} {'x' * 9000} ONE {'x' * 9000}")]},
        False,
    ),
    (
        "words in another part",
        {"first_user": {"begins": BEGINNING, "contains": "ONE"}},
        {"messages": [user([part(BEGINNING), part("ONE")])]},
        False,
    ),
    ("system", {"system": {"begins": TITLE}}, {"messages": [system(TITLE), user("Hi")]}, True),
    ("developer", {"system": {"begins": TITLE}}, {"messages": [{"role": "developer", "content": TITLE}]}, True),
    ("second system", {"system": {"begins": TITLE}}, {"messages": [system("Hi"), system(TITLE), user("Hi")]}, True),
    ("system later on", {"system": {"begins": TITLE}}, {"messages": [user("Hi"), system(TITLE)]}, False),
    (
        "last of the user's, before a note of the client's",
        {"last_user": {"begins": BEGINNING, "ends": "agent."}},
        {"messages": [user("Hi"), user(f"{BEGINNING} agent."), system("A note."), {"role": "tool", "content": "x"}]},
        True,
    ),
    (
        "no longer the last of the user's",
        {"last_user": {"begins": BEGINNING, "ends": "agent."}},
        {"messages": [user(f"{BEGINNING} agent."), {"role": "assistant", "content": "?"}, user("Hi")]},
        False,
    ),
    ("streamed", ALONE | {"stream": True}, {"messages": [user(BEGINNING)]}, False),
]


@pytest.mark.parametrize(("why", "shows", "body", "found"), CHAT, ids=[case[0] for case in CHAT])
def test_what_shows_a_task(why: str, shows: Json, body: Json, found: bool) -> None:
    """All that a row says must hold."""
    assert recognise(shows, body) == (SideTask("c", "t", 403) if found else None)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (Messages(), {"system": TITLE, "messages": [user("Hi")]}),
        (
            Messages(),
            {"system": [part("x-anthropic-billing-header: 1"), part(TITLE)], "messages": [user([part("Hi")])]},
        ),
        (Responses(), {"instructions": TITLE, "input": "Hi"}),
        (Responses(), {"input": [system(TITLE), user([{"type": "input_text", "text": "Hi"}])]}),
    ],
    ids=["Messages", "Messages in blocks", "Responses", "Responses in items"],
)
def test_each_dialect_shows_it(dialect: Dialect, body: Json) -> None:
    """The rows know nothing of dialects."""
    assert recognise({"system": {"begins": TITLE}, "messages": 1, "tools": False}, body, dialect)


def test_a_header_shows_the_client() -> None:
    """Part of a row."""
    shows = {"last_user": {"begins": BEGINNING}, "headers": {"user-agent": {"begins": "code/"}}}
    body = {"messages": [user(BEGINNING)], "tools": TOOLS}
    assert recognise(shows, body, agent=b"code/1 (cli)")
    assert not recognise(shows, body, agent=b"curl/8")
    assert not recognise(shows, body)


UNCERTAIN: list[tuple[str, Json]] = [
    ("nothing", {}),
    ("no text", {"tools": False}),
    ("any beginning", {"system": {"contains": "Generate a concise title"}}),
    ("a short beginning", {"system": {"begins": "You are"}}),
    ("a beginning anybody could write", {"last_user": {"begins": BEGINNING}}),
    ("a misspelt condition", {"system": {"begins": BEGINNING}, "tool": False}),
]


@pytest.mark.parametrize(("why", "shows"), UNCERTAIN, ids=[case[0] for case in UNCERTAIN])
def test_a_row_that_is_not_certain_is_none(why: str, shows: Json) -> None:
    """It would take a person's own words for a client's."""
    with pytest.raises(ValidationError):
        SideTasks({"task": [{"client": "c", "task": "t", "shows": shows}]})


def test_the_table_is_well_formed() -> None:
    """The one that comes with the gateway; its names are labels."""
    assert {client for client, _ in SideTasks.load().names} == {"hermes", "open_webui", "claude_code"}


@pytest.mark.parametrize("odd", [None, 5, "text", [], ["text"], [{"type": "text"}], [{"type": "image"}]])
def test_odd_content_shows_nothing(odd: Any) -> None:
    """A field that no dialect checks must not end in an error."""
    assert recognise({"system": {"begins": TITLE}}, {"system": odd, "messages": [user("Hi")]}) is None
