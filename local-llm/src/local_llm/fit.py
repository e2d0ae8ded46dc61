"""A conversation into the tokens there are: what is kept, what is cut, what is dropped. Pure.

Kept always: the system text (its beginning, when it alone is over its share) and the last turn's ends: what the user
asked and what was said last. Then the newest turns, whole. What a text costs is asked of a counting function, and only
for texts that could fit, so that a conversation of 100,000 tokens costs no more than the window it goes into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local_llm.flatten import Conversation, Message

CUT_MARK = "[… cut …]"
SYSTEM_SHARE = 0.5  # of the budget; the rest is for the conversation
PARTIAL_SHARE = 0.25
_CHARACTERS_PER_TOKEN_AT_MOST = 8  # English has 4 to 5; a longer text is cut by characters before it is counted

Count = Callable[[str], int]


@dataclass(frozen=True)
class Fitted:
    """What goes into the template, and how many turns were left out for it."""

    messages: tuple[Message, ...]
    partial: str
    dropped_turns: int


def fit(conversation: Conversation, budget_tokens: int, overhead_tokens: int, count: Count) -> Fitted:
    """Fit a conversation into `budget_tokens`; each message costs its text and `overhead_tokens` around it."""
    system = _cut_end(conversation.system, int(budget_tokens * SYSTEM_SHARE) - overhead_tokens, count)
    partial = _cut_start(conversation.partial, int(budget_tokens * PARTIAL_SHARE), count)
    # The assistant's opening at the prompt's end costs like a message.
    room = budget_tokens - count(system) - count(partial) - 2 * overhead_tokens

    *earlier, last = conversation.turns
    kept, cost, dropped = _last_turn(last, room, overhead_tokens, count)
    room -= cost
    for index in range(len(earlier) - 1, -1, -1):
        cost = _cost(earlier[index], room, overhead_tokens, count)
        if cost > room:
            dropped += index + 1
            break
        kept = (*earlier[index], *kept)
        room -= cost
    return Fitted((Message("system", system), *kept), partial, dropped)


def cut_middle(text: str, limit_tokens: int, count: Count) -> str:
    """A text of at most `limit_tokens`, its middle replaced by a visible mark: the ends hold what matters."""
    return _cut(text, limit_tokens, count, 0.5)


def _cut_end(text: str, limit_tokens: int, count: Count) -> str:
    return _cut(text, limit_tokens, count, 1.0)


def _cut_start(text: str, limit_tokens: int, count: Count) -> str:
    """Without a mark: the model goes on with this text, and would go on marking."""
    return _cut(text, limit_tokens, count, 0.0)


def _cut(text: str, limit_tokens: int, count: Count, front: float) -> str:
    """Keep characters, the share `front` of them from the beginning, until the text costs at most the limit."""
    keep = min(len(text), max(0, limit_tokens) * _CHARACTERS_PER_TOKEN_AT_MOST)
    while keep > 0:
        kept = text if keep == len(text) else _ends(text, keep, front)
        cost = count(kept)
        if cost <= limit_tokens:
            return kept
        # A little less than the proportion says, and always fewer: it ends after a few rounds.
        keep = min(int(keep * limit_tokens / cost * 0.97), keep - 1)
    return ""


def _ends(text: str, keep: int, front: float) -> str:
    head = int(keep * front)
    tail = keep - head
    return text[:head] + ("" if front == 0.0 else f"\n{CUT_MARK}\n") + (text[-tail:] if tail else "")


def _last_turn(
    turn: Sequence[Message], room: int, overhead_tokens: int, count: Count
) -> tuple[tuple[Message, ...], int, int]:
    """The turn being answered: its messages, their cost in tokens, and how many exchanges were left out.

    An agent's turn can hold dozens of tool exchanges: the question and the newest of them matter.
    """
    cost = _cost(turn, room, overhead_tokens, count)
    if cost <= room:
        return tuple(turn), cost, 0
    if len(turn) == 1:
        only = _shortened(turn[0], room - overhead_tokens, count)
        return (only,), overhead_tokens + count(only.text), 0
    first, middle, last = turn[0], turn[1:-1], turn[-1]
    last = _shortened(last, room // 2 - overhead_tokens, count)
    room_left = room - overhead_tokens - count(last.text)
    first = _shortened(first, min(room // 2, room_left) - overhead_tokens, count)
    room_left -= overhead_tokens + count(first.text)
    kept: tuple[Message, ...] = ()
    # After the question come a call, its result, a call, its result …, and before the last result its call.
    begin = len(middle)
    while begin > 0:
        start = max(0, begin - 1 if begin == len(middle) else begin - 2)
        cost = _cost(middle[start:begin], room_left, overhead_tokens, count)
        if cost > room_left:
            break
        kept = (*middle[start:begin], *kept)
        room_left -= cost
        begin = start
    if not kept and first.role == last.role:  # nothing left between them: the roles must still alternate
        return (Message(first.role, f"{first.text}\n\n{last.text}"),), room - room_left, (begin + 1) // 2
    return (first, *kept, last), room - room_left, (begin + 1) // 2


def _shortened(message: Message, limit_tokens: int, count: Count) -> Message:
    return Message(message.role, cut_middle(message.text, limit_tokens, count))


def _cost(messages: Sequence[Message], room: int, overhead_tokens: int, count: Count) -> int:
    """Tokens the messages take; anything over `room` once that much is sure, without counting the rest."""
    total = 0
    for message in messages:
        characters_left = (room - total) * _CHARACTERS_PER_TOKEN_AT_MOST
        if len(message.text) > characters_left:
            return room + 1
        total += overhead_tokens + count(message.text)
        if total > room:
            break
    return total
