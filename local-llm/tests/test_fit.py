"""What is kept when a conversation is too long. A token is a word here, and a message costs 2 more."""

from itertools import pairwise

import pytest

from local_llm.fit import CUT_MARK, Fitted, cut_middle, fit
from local_llm.flatten import Conversation, Message

OVERHEAD = 2


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
    fitted = fit(conversation, 100, OVERHEAD, count)
    assert fitted == Fitted(
        (Message("system", "be kind"), *turn(5, "a"), *turn(5, "b"), *QUESTION), partial="", dropped_turns=0
    )


@pytest.mark.parametrize(
    ("budget", "kept", "dropped"),
    [(53, "abc", 0), (52, "bc", 1), (39, "bc", 1), (38, "c", 2), (25, "c", 2), (24, "", 3), (11, "", 3)],
)
def test_oldest_turns_go_first(budget: int, kept: str, dropped: int) -> None:
    """Whole turns are dropped, the oldest first, to the token."""
    conversation = Conversation("be kind", (turn(5, "a"), turn(5, "b"), turn(5, "c"), QUESTION))
    fitted = fit(conversation, budget, OVERHEAD, count)
    middle = tuple(message for name in kept for message in turn(5, name))
    assert fitted.messages == (Message("system", "be kind"), *middle, *QUESTION)
    assert fitted.dropped_turns == dropped


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
    fitted = fit(conversation, budget, OVERHEAD, count)
    assert cost(fitted) <= budget
    roles = [message.role for message in fitted.messages]
    assert roles[:2] == ["system", "user"]
    assert all(one != next_one for one, next_one in pairwise(roles))
    assert roles[-1] == "user"


def test_the_ends_of_a_long_question_stay() -> None:
    """An over-long last message is cut in its middle, visibly."""
    text = f"begin {words(5000)} end"
    fitted = fit(Conversation("be kind", ((Message("user", text),),)), 200, OVERHEAD, count)
    shown = fitted.messages[-1].text
    assert shown.startswith("begin ")
    assert shown.endswith(" end")
    assert CUT_MARK in shown
    assert count(shown) > 150


def test_the_beginning_of_a_long_system_text_stays() -> None:
    """Who to be stands at the beginning."""
    fitted = fit(Conversation(f"be kind {words(5000)}", (QUESTION,)), 200, OVERHEAD, count)
    assert fitted.messages[0].text.startswith("be kind ")
    assert fitted.messages[-1] == QUESTION[0]


def test_the_end_of_a_long_partial_answer_stays() -> None:
    """The model goes on where the answer broke off."""
    fitted = fit(Conversation("be kind", (QUESTION,), partial=f"{words(5000)} and then"), 200, OVERHEAD, count)
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
    fitted = fit(conversation, 200, OVERHEAD, count)
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
    fit(Conversation(words(100_000), turns), 1000, OVERHEAD, watched)
    assert sum(counted) < 100_000


@pytest.mark.parametrize(
    ("text", "limit", "expected"), [("", 5, ""), ("a b", 2, "a b"), ("a b c", 0, ""), ("a", -1, "")]
)
def test_cut_edges(text: str, limit: int, expected: str) -> None:
    """No room means no text; enough room means all of it."""
    assert cut_middle(text, limit, count) == expected
