"""How long a request goes on with Claude before it is given up. Pure: times are seconds of the breaker's clock.

Somebody who waits for words waits a moment for a hiccup to pass. A step of a tool loop waits longer, and through an
open breaker too: the local model sees no tools, so that giving up ends the loop. The breaker learns of a failure once
the moment is over.
"""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager

from claude_adapter.availability.reasons import Fallback

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 4.0
_JITTER = 0.25
_MOST_ATTEMPTS = 12
_MOST_AT_ONCE = 16  # more that fail at the same time are no hiccup, and their repeats would be a storm
_LOOK_SECONDS = 0.25


class PatienceRules:
    """What the requests of one service share. `uniform(a, b)` gives a random number between the two."""

    def __init__(
        self, seconds: float, tool_seconds: float, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self.seconds = seconds
        self.tool_seconds = max(seconds, tool_seconds)
        self.uniform = uniform
        self.repeating = 0  # requests whose failure has been overlooked


class Patience(AbstractContextManager["Patience"]):
    """One request's. `in_tool_loop` is asked only once something has failed.

    `failure` is the last one, and no attempt is to begin before `next_at`.
    """

    def __init__(self, rules: PatienceRules, arrived_at: float, in_tool_loop: Callable[[], bool]) -> None:
        self.failure: Fallback | None = None
        self.next_at = arrived_at
        self._rules = rules
        self._until = arrived_at + rules.seconds
        self._tool_until = arrived_at + rules.tool_seconds
        self._find_tool_loop = in_tool_loop
        self._tool_loop: bool | None = None
        self._attempts = 0
        self._is_repeating = False
        self._dead_connection_met = False

    def __exit__(self, *_exc_info: object) -> None:
        self._leave()

    def overlooks(self, failure: Fallback, now: float, *, on_trial: bool) -> bool:
        """An attempt has failed: whether the next one may follow without the breaker being told.

        `on_trial`: another request has just been given up, so that this was no hiccup.
        """
        self.failure = failure
        self._attempts += 1
        if failure.dead_connection and not self._dead_connection_met:
            self._dead_connection_met = True
            self.next_at = now
            return True
        if on_trial or not failure.is_transient or not self._plan(failure, now, self._until):
            self._leave()
            return False
        if not self._is_repeating:
            if self._rules.repeating >= _MOST_AT_ONCE:
                return False
            self._is_repeating = True
            self._rules.repeating += 1
        return True

    def goes_on(self, failure: Fallback, now: float) -> bool:
        """An attempt has failed, and the breaker knows: whether another one may follow, when the breaker allows it."""
        self.failure = failure
        return failure.may_pass and self._in_tool_loop() and self._plan(failure, now, self._tool_until)

    def waits_out(self, cause: Fallback, refused_until: float | None, now: float) -> bool:
        """The breaker refuses: whether to look again in a moment. `refused_until` is None when nobody knows."""
        in_time = now < self._tool_until and (refused_until is None or refused_until <= self._tool_until)
        return in_time and cause.may_pass and self._in_tool_loop()

    def pause_seconds(self, now: float) -> float:
        """Until the next attempt, or the next look at the breaker, which may open or close while this request waits."""
        look_seconds = self._jittered(_LOOK_SECONDS)
        return min(look_seconds, self.next_at - now) if now < self.next_at else look_seconds

    def _plan(self, failure: Fallback, now: float, until: float) -> bool:
        """Set the time of the next attempt; False when it would be too late, or one too many."""
        pause_seconds = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (self._attempts - 1))
        asked_for_seconds = (failure.retry_after_seconds or 0.0) * self._rules.uniform(1, 1 + _JITTER)
        self.next_at = now + max(self._jittered(pause_seconds), asked_for_seconds)
        return self.next_at <= until and self._attempts < _MOST_ATTEMPTS

    def _jittered(self, seconds: float) -> float:
        return seconds * self._rules.uniform(1 - _JITTER, 1 + _JITTER)

    def _in_tool_loop(self) -> bool:
        if self._tool_loop is None:
            self._tool_loop = self._find_tool_loop()
        return self._tool_loop

    def _leave(self) -> None:
        if self._is_repeating:
            self._is_repeating = False
            self._rules.repeating -= 1
