"""How a local answer is recognised in a history, and how what was added to it leaves the history again."""

from typing import Any

import pytest

from gateway.relay.conversation import ConversationReader
from gateway.relay.rescue import RESCUE_LINE
from gateway.settings import DEFAULT_MARK as MARK
from gateway.settings import DEFAULT_NOTICE as NOTICE

Json = dict[str, Any]

READER = ConversationReader((NOTICE, "Old notice."), RESCUE_LINE, (MARK,))


def user(text: str) -> Json:
    return {"role": "user", "content": text}


def assistant(content: Any, **more: Any) -> Json:
    return {"role": "assistant", "content": content, **more}


def part(text: str, **more: Any) -> Json:
    return {"type": "text", "text": text, **more}


WRAPPED = NOTICE.replace("right now", "right\nnow").replace("I can", "I\n  can")
CALLED = {"tool_calls": [{"id": "1"}]}

HISTORIES: list[tuple[str, list[Json], list[Json] | None, list[int], bool]] = [
    # why it exists, messages, what the backends see (None: the same), which are local, whether the last answer shows it
    ("a first question", [user("hi")], None, [], False),
    ("Claude only", [user("hi"), assistant("hello")], None, [], False),
    ("notice in front", [assistant(f"{NOTICE}\n\nHello.")], [assistant("Hello.")], [0], True),
    ("notice alone", [user("a"), assistant(NOTICE), user("b")], [user("a"), user("b")], [], True),
    ("an older notice", [assistant("Old notice.\n\nHello.")], [assistant("Hello.")], [0], True),
    ("notice in the middle", [assistant(f"One.\n\n{NOTICE}\n\nTwo.")], [assistant("One.\n\nTwo.")], [0], True),
    ("notice wrapped anew", [assistant(f"{WRAPPED}\n\nHello.")], [assistant("Hello.")], [0], True),
    ("notice on one line", [assistant(f"{NOTICE} Hello.")], [assistant("Hello.")], [0], True),
    ("lines of Windows", [assistant(f"{NOTICE}\r\n\r\nHello.")], [assistant("Hello.")], [0], True),
    ("code behind it", [assistant(f"{NOTICE}\n\n    x = 1")], [assistant("    x = 1")], [0], True),
    (
        "notice in parts",
        [assistant([part(f"{NOTICE}\n\n"), part("Hello.", cache_control={})])],
        [assistant([part("Hello.", cache_control={})])],
        [0],
        True,
    ),
    ("notice and call", [assistant(f"{NOTICE}\n\n", **CALLED)], [assistant(None, **CALLED)], [0], True),
    ("notice quoted by the person", [user(f"You said: {NOTICE}")], None, [], False),
    ("a bare call", [assistant(None, **CALLED)], None, [], False),
    ("mark", [assistant(f"Hello. {MARK}")], [assistant("Hello.")], [0], True),
    ("mark trimmed or not", [assistant(f"Hello.\n\n{MARK} \n")], [assistant("Hello.")], [0], True),
    ("mark in colour", [assistant(f"Hello. {MARK}\ufe0f")], [assistant("Hello.")], [0], True),
    ("mark alone", [assistant(MARK), user("b")], [user("b")], [], True),
    ("mark in parts", [assistant([part("Hello."), part(f" {MARK}")])], [assistant([part("Hello.")])], [0], True),
    (
        "mark before a call",
        [assistant([part(f"I look. {MARK}"), {"type": "tool_use"}])],
        [assistant([part("I look."), {"type": "tool_use"}])],
        [0],
        True,
    ),
    ("a candle of the person's", [user(f"For you: {MARK}")], None, [], False),
    ("a candle in a text", [assistant(f"Light {MARK} in the window.")], None, [], False),
    ("a candle in a word", [assistant(f"Happy birthday{MARK}")], None, [], False),
    ("rescued", [assistant(f"The cap{RESCUE_LINE}ital of")], [assistant("The capital of")], [0], True),
    (
        "rescued, on one line",
        [assistant(f"The cap {RESCUE_LINE.strip()} ital of")],
        [assistant("The capital of")],
        [0],
        True,
    ),
    (
        "rescued, lines of Windows",
        [assistant(f"The cap\r\n{RESCUE_LINE.strip()}\r\nital")],
        [assistant("The capital")],
        [0],
        True,
    ),
    (
        "an outage of three answers, and Claude again",
        [
            *(user("a"), assistant("A.")),
            *(user("b"), assistant(f"{NOTICE}\n\nB.")),
            *(user("c"), assistant(f"C. {MARK}")),
            *(user("d"), assistant(f"D. {MARK}")),
            *(user("e"), assistant("E.")),
        ],
        [
            *(user("a"), assistant("A.")),
            *(user("b"), assistant("B.")),
            *(user("c"), assistant("C.")),
            *(user("d"), assistant("D.")),
            *(user("e"), assistant("E.")),
        ],
        [3, 5, 7],
        False,
    ),
    (
        "a call without words between",
        [assistant(f"A. {MARK}"), assistant(None, **CALLED), {"role": "tool", "content": "sun"}],
        [assistant("A."), assistant(None, **CALLED), {"role": "tool", "content": "sun"}],
        [0],
        True,
    ),
    (
        "what is dropped moves the others up",
        [assistant(NOTICE), user("b"), assistant(f"B. {MARK}")],
        [user("b"), assistant("B.")],
        [1],
        True,
    ),
]


@pytest.mark.parametrize(("why", "messages", "seen", "local", "told"), HISTORIES, ids=[case[0] for case in HISTORIES])
def test_what_a_history_tells(
    why: str, messages: list[Json], seen: list[Json] | None, local: list[int], told: bool
) -> None:
    """No backend sees a notice, a rescue line or a mark; local answers are named by place; people's words stay."""
    conversation = READER.read(messages)
    assert conversation.messages == (messages if seen is None else seen)
    assert conversation.changed == (seen is not None)
    assert (conversation.local_answers, conversation.told) == (local, told)


def test_what_was_cleaned_is_clean() -> None:
    """The same in each later request: Claude's prompt cache holds."""
    for _, messages, _, _, _ in HISTORIES:
        once = READER.read(messages)
        assert not READER.read(once.messages).changed


def test_a_notice_of_white_space() -> None:
    """Says nothing and shows nothing."""
    assert not ConversationReader((" ",), RESCUE_LINE, ()).read([assistant("A  B")]).changed


def test_a_mark_of_ones_own() -> None:
    """Any word; the default one of older histories is known beside it, and an empty one is none."""
    reader = ConversationReader((NOTICE,), RESCUE_LINE, ("(small)", MARK, ""))
    assert reader.read([assistant("A. (small)"), assistant(f"B. {MARK}"), assistant("C.")]).local_answers == [0, 1]
