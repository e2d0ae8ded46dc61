"""A conversation into the tokens there are: what is kept, what is cut, what is dropped. Pure.

Kept always: the persona and the last turn's ends: what the user asked and what was said last. Then the newest turns,
whole. What a text costs is asked of a counting function, and only for texts that could fit, so that a conversation of
100,000 tokens costs no more than the window it goes into.

Turns go in blocks: were one dropped each time, every prompt would begin differently and be read from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from local_llm.prompt.flatten import CUT_MARK, Conversation, Message

SYSTEM_SHARE = 0.5  # of the budget; the rest is for the conversation
PARTIAL_SHARE = 0.25
_CHARACTERS_PER_TOKEN_AT_MOST = 8  # English has 4 to 5; a longer text is cut by characters before it is counted
_CHARACTERS_PER_TOKEN = 4
_BLOCK_SHARE = 0.5  # of the budget, at most, goes at one time

Count = Callable[[str], int]
Unit = tuple[Message, ...]  # dropped together or not at all


@dataclass(frozen=True)
class Fitted:
    """What goes into the template, and how many turns were left out for it."""

    messages: tuple[Message, ...]
    partial: str
    dropped_turns: int
    soul_used: bool


def fit(conversation: Conversation, soul: str, budget_tokens: int, overhead_tokens: int, count: Count) -> Fitted:
    """Fit a conversation into `budget_tokens`; each message costs its text and `overhead_tokens` around it.

    The client's system text is used as it is while it is within its share. Over it, `soul` takes its place, with its
    beginning as far as that fits. Without one, `soul` stands alone.
    """
    system, soul_used = _system(conversation.system, soul, int(budget_tokens * SYSTEM_SHARE) - overhead_tokens, count)
    partial = _cut_start(conversation.partial, int(budget_tokens * PARTIAL_SHARE), count)
    # The assistant's opening at the prompt's end costs like a message.
    left_tokens = budget_tokens - count(system) - count(partial) - 2 * overhead_tokens

    *earlier, last = conversation.turns
    # A power of two: a budget that is a little different tomorrow has the same blocks.
    block = 1 << max(0, int(budget_tokens * _BLOCK_SHARE * _CHARACTERS_PER_TOKEN).bit_length() - 1)
    kept, cost, dropped = _last_turn(last, left_tokens, block, overhead_tokens, count)
    first = _first_kept(earlier, left_tokens - cost, block, overhead_tokens, count)
    newest = tuple(message for turn in earlier[first:] for message in turn)
    return Fitted((Message("system", system), *newest, *kept), partial, dropped + first, soul_used)


def cut_middle(text: str, limit_tokens: int, count: Count) -> str:
    """A text of at most `limit_tokens`, its middle replaced by a visible mark: the ends hold what matters."""
    return _cut(text, limit_tokens, count, 0.5)


def _system(text: str, soul: str, limit_tokens: int, count: Count) -> tuple[str, bool]:
    """The system text, and whether it begins with the soul."""
    if text and len(text) <= limit_tokens * _CHARACTERS_PER_TOKEN_AT_MOST and count(text) <= limit_tokens:
        return text, False
    persona = _cut_end(soul, limit_tokens, count)
    beginning = _cut_end(text, limit_tokens - count(persona) - 2, count)  # 2 for the empty line between them
    return (f"{persona}\n\n{beginning}" if beginning else persona), True


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


def _first_kept(units: Sequence[Unit], budget_tokens: int, block: int, overhead_tokens: int, count: Count) -> int:
    """From which unit on they are kept: as many of the newest as fit, and when not all do, from a block's beginning.

    Blocks are counted in characters from the conversation's beginning: what is said later does not move them.
    """
    first, left_tokens = len(units), budget_tokens
    while first > 0:
        cost = _cost(units[first - 1], left_tokens, overhead_tokens, count)
        if cost > left_tokens:
            break
        left_tokens -= cost
        first -= 1
    if first == 0 or first == len(units):
        return first
    begins = [0, *accumulate(sum(len(message.text) for message in unit) for unit in units)]
    for start in range(first, len(units)):
        if begins[start] // block != begins[start - 1] // block:
            return start
    return first


def _last_turn(turn: Unit, budget_tokens: int, block: int, overhead_tokens: int, count: Count) -> tuple[Unit, int, int]:
    """The turn being answered: its messages, their cost in tokens, and how many exchanges were left out.

    An agent's turn can hold dozens of tool exchanges: the question and the newest of them matter.
    """
    cost = _cost(turn, budget_tokens, overhead_tokens, count)
    if cost <= budget_tokens:
        return turn, cost, 0
    if len(turn) == 1:
        only = _shortened(turn[0], budget_tokens - overhead_tokens, count)
        return (only,), overhead_tokens + count(only.text), 0
    first, middle, last = turn[0], turn[1:-1], turn[-1]
    last = _shortened(last, budget_tokens // 2 - overhead_tokens, count)
    left_tokens = budget_tokens - overhead_tokens - count(last.text)
    first = _shortened(first, min(budget_tokens // 2, left_tokens) - overhead_tokens, count)
    left_tokens -= overhead_tokens + count(first.text)
    exchanges = _exchanges(middle)
    begin = _first_kept(exchanges, left_tokens, block, overhead_tokens, count)
    kept = tuple(message for exchange in exchanges[begin:] for message in exchange)
    cost = budget_tokens - left_tokens + _cost(kept, left_tokens, overhead_tokens, count)
    if not kept and first.role == last.role:  # nothing left between them: the roles must still alternate
        return (Message(first.role, f"{first.text}\n\n{last.text}"),), cost, begin
    return (first, *kept, last), cost, begin


def _exchanges(middle: Unit) -> list[Unit]:
    """After the question come a call, its result, a call, its result …, and before the last result its call."""
    return [middle[at : at + 2] for at in range(0, len(middle), 2)]


def _shortened(message: Message, limit_tokens: int, count: Count) -> Message:
    return Message(message.role, cut_middle(message.text, limit_tokens, count))


def _cost(messages: Sequence[Message], budget_tokens: int, overhead_tokens: int, count: Count) -> int:
    """Tokens the messages take; anything over `budget_tokens` once that much is sure, without counting the rest."""
    total = 0
    for message in messages:
        characters_left = (budget_tokens - total) * _CHARACTERS_PER_TOKEN_AT_MOST
        if len(message.text) > characters_left:
            return budget_tokens + 1
        total += overhead_tokens + count(message.text)
        if total > budget_tokens:
            break
    return total
