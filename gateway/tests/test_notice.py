"""When the notice is said, where it is put, and how it leaves the history again."""

from typing import Any

import orjson
import pytest

from gateway.dialects.chat_completions.dialect import put_in_front
from gateway.dialects.chat_completions.stream import notice_event
from gateway.relay.notice import Conversations, fingerprint, strip_notices
from gateway.settings import DEFAULT_NOTICE as NOTICE


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def test_the_first_degraded_answer_of_a_conversation_tells() -> None:
    """Unknown conversations are told, known ones are not told again."""
    conversations = Conversations("transition")
    first = [user("hi")]
    later = [user("hi"), assistant("hello"), user("and now?")]
    assert conversations.tell({"messages": first})
    assert not conversations.tell({"messages": later})
    assert conversations.tell({"messages": [user("another conversation")]})


def test_a_change_back_and_forth_tells_again() -> None:
    """After Claude has answered, the next degraded answer is a change."""
    conversations = Conversations("transition")
    assert conversations.tell({"messages": [user("hi")]})
    conversations.answered_by_claude({"messages": [user("hi"), assistant("hello"), user("more")]})
    assert conversations.tell({"messages": [user("hi")]})


def test_claude_in_one_conversation_says_nothing_of_another() -> None:
    """Conversations are told one by one."""
    conversations = Conversations("transition")
    assert conversations.tell({"messages": [user("a")]})
    conversations.answered_by_claude({"messages": [user("b")]})
    assert not conversations.tell({"messages": [user("a")]})


def test_the_memory_is_bounded() -> None:
    """The conversation that was quiet longest is forgotten, and so told again."""
    conversations = Conversations("transition", limit=2)
    for text in "aba":
        conversations.tell({"messages": [user(text)]})
    conversations.tell({"messages": [user("c")]})
    assert not conversations.tell({"messages": [user("a")]})
    assert conversations.tell({"messages": [user("b")]})


@pytest.mark.parametrize(("policy", "told"), [("always", [True, True]), ("never", [False, False])])
def test_other_policies(policy: Any, told: list[bool]) -> None:
    """always and never do not look at the conversation."""
    conversations = Conversations(policy)
    assert [conversations.tell({"messages": [user("hi")]}) for _ in range(2)] == told


def test_a_fingerprint_is_the_opening() -> None:
    """System prompt and first user message make the conversation; what follows does not."""
    opening = [{"role": "system", "content": "s"}, user("hi")]
    assert fingerprint({"messages": opening}) == fingerprint({"messages": [*opening, assistant("x"), user("y")]})
    assert fingerprint({"messages": opening}) != fingerprint(
        {"messages": [{"role": "system", "content": "t"}, user("hi")]}
    )
    assert fingerprint({"messages": opening}) != fingerprint(
        {"messages": [{"role": "system", "content": "s"}, user("ho")]}
    )


STRIP: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]] | None]] = [
    # why it exists, messages, what the brains see (None: unchanged)
    ("nothing to strip", [user("hi"), assistant("hello")], None),
    ("in front", [assistant(f"{NOTICE}\n\nHello.")], [assistant("Hello.")]),
    ("trimmed by the client", [user("a"), assistant(NOTICE), user("b")], [user("a"), user("b")]),
    ("an older notice", [assistant("Old notice.\n\nHello.")], [assistant("Hello.")]),
    ("in the middle", [assistant(f"One.\n\n{NOTICE}\n\nTwo.")], [assistant("One.\n\nTwo.")]),
    (
        "in parts",
        [assistant([{"type": "text", "text": f"{NOTICE}\n\n"}, {"type": "text", "text": "Hello."}])],
        [assistant([{"type": "text", "text": "Hello."}])],
    ),
    (
        "with a tool call",
        [assistant(f"{NOTICE}\n\n", tool_calls=[{"id": "1"}])],
        [assistant(None, tool_calls=[{"id": "1"}])],
    ),
    ("quoted by the person", [user(f"You said: {NOTICE}")], None),
    ("no content", [assistant(None, tool_calls=[{"id": "1"}])], None),
]


@pytest.mark.parametrize(("why", "messages", "seen"), STRIP, ids=[case[0] for case in STRIP])
def test_notices_leave_the_history(why: str, messages: list[dict[str, Any]], seen: list[dict[str, Any]] | None) -> None:
    """No brain sees a notice; the person's own words stay."""
    assert strip_notices(messages, (NOTICE, "Old notice.")) == seen


def test_the_notice_is_the_first_paragraph() -> None:
    """In a unary answer."""
    completion = {"choices": [{"message": {"role": "assistant", "content": "Hello."}}]}
    told = put_in_front(completion, NOTICE)
    assert told is not None
    assert told["choices"][0]["message"]["content"] == f"{NOTICE}\n\nHello."


def test_a_tool_call_is_not_spoken_over() -> None:
    """A tool-call-only answer stays as it is."""
    assert put_in_front({"choices": [{"message": {"content": None, "tool_calls": [{}]}}]}, NOTICE) is None


def test_the_notice_in_a_stream_is_a_chunk_like_its_first() -> None:
    """Same id, model and time as the stream's own chunks, and a text delta."""
    first = {"id": "chatcmpl-1", "created": 5, "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
    event = notice_event(b"data: " + orjson.dumps(first) + b"\n\n", NOTICE)
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    chunk = orjson.loads(event[6:])
    assert {key: chunk[key] for key in ("id", "created", "model")} == {"id": "chatcmpl-1", "created": 5, "model": "m"}
    assert chunk["choices"][0]["delta"] == {"content": f"{NOTICE}\n\n"}
    assert chunk["choices"][0]["finish_reason"] is None
