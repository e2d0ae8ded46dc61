"""What is kept when a conversation is too long. A token is a word here, and a message costs 2 more."""

from itertools import pairwise

import pytest

from local_llm.prompt.fit import Fitted, cut_middle, fit
from local_llm.prompt.flatten import CUT_MARK, Conversation, Message

OVERHEAD = 2
SOUL = "be me"


def count(text: str) -> int:
    return len(text.split())


def words(number: int, word: str = "word") -> str:
    return " ".join([word] * number)


def turn(size: int, name: str) -> tuple[Message, Message]:
    return Message("user", words(size, name)), Message("assistant", words(size, name))


def cost(fitted: Fitted) -> int:
    """What the template will make of it, with the assistant's opening."""
    texts = sum(count(message.text) + OVERHEAD for message in fitted.messages)
    return texts + count(fitted.partial) + OVERHEAD


QUESTION = (Message("user", "what now ?"),)


def test_what_fits_is_left_alone() -> None:
    """Nothing is cut or dropped while there is room."""
    conversation = Conversation("be kind", (turn(5, "a"), turn(5, "b"), QUESTION))
    fitted = fit(conversation, SOUL, 100, OVERHEAD, count)
    kept = (Message("system", "be kind"), *turn(5, "a"), *turn(5, "b"), *QUESTION)
    assert fitted == Fitted(kept, partial="", dropped_turns=0, soul_used=False)


@pytest.mark.parametrize(
    ("budget", "kept", "dropped"),
    [(53, "abc", 0), (52, "bc", 1), (39, "bc", 1), (38, "c", 2), (25, "c", 2), (24, "", 3), (11, "", 3)],
)
def test_oldest_turns_go_first(budget: int, kept: str, dropped: int) -> None:
    """Whole turns are dropped, the oldest first, to the token: these are too short for blocks."""
    conversation = Conversation("be kind", (turn(5, "a"), turn(5, "b"), turn(5, "c"), QUESTION))
    fitted = fit(conversation, SOUL, budget, OVERHEAD, count)
    middle = tuple(message for name in kept for message in turn(5, name))
    assert fitted.messages == (Message("system", "be kind"), *middle, *QUESTION)
    assert fitted.dropped_turns == dropped


def test_turns_go_in_blocks() -> None:
    """Over a long conversation most prompts begin as the one before: what was read of it need not be read again."""
    turns = [turn(10, f"turn{number:02}") for number in range(60)]
    beginnings, budget = [], 400
    for said in range(1, 60):
        fitted = fit(Conversation("be kind", (*turns[:said], QUESTION)), SOUL, budget, OVERHEAD, count)
        assert cost(fitted) <= budget
        beginnings.append(fitted.dropped_turns)
    assert beginnings == sorted(beginnings), "what was dropped does not come back"
    changes = sum(one != other for one, other in pairwise(beginnings))
    assert 3 <= changes <= 12, "one by one it would be over forty"
    assert min(len(turns[: index + 1]) - dropped for index, dropped in enumerate(beginnings) if index > 16) >= 5


def test_a_little_less_budget_drops_at_the_same_place() -> None:
    """Budgets follow the machine's speed: a small change must not cost a conversation its place in the cache."""
    turns = tuple(turn(10, f"turn{number:02}") for number in range(60))
    dropped = {
        fit(Conversation("be kind", (*turns, QUESTION)), SOUL, b, OVERHEAD, count).dropped_turns for b in (400, 405)
    }
    assert len(dropped) == 1


@pytest.mark.parametrize(
    ("system", "budget", "expected", "soul_used"),
    [
        ("", 100, "be me", True),
        ("be kind", 100, "be kind", False),
        (words(48), 100, words(48), False),
        ("be kind", 6, "be", True),
    ],
    ids=["none", "short", "just its share", "no room"],
)
def test_whose_persona(system: str, budget: int, expected: str, soul_used: bool) -> None:
    """A system text within its share is used as it is; without one the soul speaks."""
    fitted = fit(Conversation(system, (QUESTION,)), SOUL, budget, OVERHEAD, count)
    assert fitted.messages[0].text.startswith(expected) or budget < 10
    assert fitted.soul_used is soul_used


def test_a_long_system_text_gives_way_to_the_soul() -> None:
    """The soul comes first and whole; behind it the beginning of what the client wanted, as far as it fits."""
    fitted = fit(Conversation(f"be kind {words(5000)}", (QUESTION,)), SOUL, 200, OVERHEAD, count)
    text = fitted.messages[0].text
    assert text.startswith("be me\n\nbe kind word ")
    assert CUT_MARK in text
    assert 60 < count(text) <= 100
    assert fitted.messages[-1] == QUESTION[0]


CONVERSATIONS = {
    "long system": Conversation(words(5000), (turn(5, "a"), QUESTION)),
    "long question": Conversation("be kind", (turn(5, "a"), (Message("user", words(5000)),))),
    "both long": Conversation(words(5000), ((Message("user", words(5000)),),)),
    "long partial": Conversation("be kind", (QUESTION,), partial=words(5000)),
    "all long": Conversation(words(5000), (turn(900, "a"), (Message("user", words(5000)),)), partial=words(5000)),
    "many turns": Conversation("be kind", (*(turn(50, "a") for _ in range(1000)), QUESTION)),
    "an agent's turn": Conversation(
        "be kind",
        ((*QUESTION, *(m for _ in range(100) for m in (Message("assistant", "call"), Message("user", words(30))))),),
    ),
    "one endless word": Conversation("be kind", ((Message("user", "x" * 1_000_000),),)),
    "only spaces": Conversation("be kind", ((Message("user", " " * 1_000_000),),)),
}


@pytest.mark.parametrize("budget", [64, 200, 1000])
@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_never_over_the_budget(conversation: Conversation, budget: int) -> None:
    """Whatever comes, it fits, begins with the system text, and takes turns."""
    fitted = fit(conversation, SOUL, budget, OVERHEAD, count)
    assert cost(fitted) <= budget
    roles = [message.role for message in fitted.messages]
    assert roles[:2] == ["system", "user"]
    assert all(one != next_one for one, next_one in pairwise(roles))
    assert roles[-1] == "user"


def test_the_ends_of_a_long_question_stay() -> None:
    """An over-long last message is cut in its middle, visibly."""
    text = f"begin {words(5000)} end"
    fitted = fit(Conversation("be kind", ((Message("user", text),),)), SOUL, 200, OVERHEAD, count)
    shown = fitted.messages[-1].text
    assert shown.startswith("begin ")
    assert shown.endswith(" end")
    assert CUT_MARK in shown
    assert count(shown) > 150


def test_the_end_of_a_long_partial_answer_stays() -> None:
    """The model goes on where the answer broke off."""
    fitted = fit(Conversation("be kind", (QUESTION,), partial=f"{words(5000)} and then"), SOUL, 200, OVERHEAD, count)
    assert fitted.partial.endswith(" and then")
    assert CUT_MARK not in fitted.partial


def test_an_agents_turn_keeps_its_question_and_its_newest_exchange() -> None:
    """Dozens of tool results behind one question: the question is not lost under them."""
    exchanges = [
        message
        for index in range(50)
        for message in (
            Message("assistant", f"[called t{index}]"),
            Message("user", f"[t{index} returned: {words(20)}]"),
        )
    ]
    conversation = Conversation("be kind", ((Message("user", "find it"), *exchanges),))
    fitted = fit(conversation, SOUL, 200, OVERHEAD, count)
    assert fitted.messages[1].text == "find it"
    assert fitted.messages[-1].text.startswith("[t49 returned")
    assert fitted.messages[-2].text == "[called t49]"
    assert fitted.dropped_turns > 30


def test_a_huge_text_is_not_counted_whole() -> None:
    """Counting costs time: what cannot fit is cut by characters first."""
    counted = []

    def watched(text: str) -> int:
        counted.append(len(text))
        return count(text)

    turns = (*(turn(2000, "a") for _ in range(200)), (Message("user", words(100_000)),))
    fit(Conversation(words(100_000), turns), SOUL, 1000, OVERHEAD, watched)
    assert sum(counted) < 100_000


@pytest.mark.parametrize(
    ("text", "limit", "expected"), [("", 5, ""), ("a b", 2, "a b"), ("a b c", 0, ""), ("a", -1, "")]
)
def test_cut_edges(text: str, limit: int, expected: str) -> None:
    """No room means no text; enough room means all of it."""
    assert cut_middle(text, limit, count) == expected
