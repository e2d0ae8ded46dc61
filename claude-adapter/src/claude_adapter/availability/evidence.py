"""Failures that may each be about one request only: when do they say together that Claude fails everybody? Pure."""

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson

from claude_adapter.availability.reasons import Fallback

_FORGOTTEN_AFTER_SECONDS = 60.0
_GOOD_ANSWER_COUNTS_SECONDS = 5.0  # so long after it a failure is more likely its own request's
_LASTING_SECONDS = 10.0
_MOST_ASKERS = 64
_MOST_MODELS = 64


class Evidence:
    """Who has failed since the last good answer to anybody. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._first_failure_at: dict[str, float] = {}
        self._last: tuple[float, Fallback] | None = None
        self._good_at = float("-inf")
        self._good_at_by_model: OrderedDict[str, float] = OrderedDict()

    def failure(self, asker: str, cause: Fallback, now: float) -> bool:
        """Note one. True when it is enough: two have failed, or one again after 10 s, and nobody was answered."""
        self._first_failure_at = {
            other: at for other, at in self._first_failure_at.items() if now - at < _FORGOTTEN_AFTER_SECONDS
        }
        if len(self._first_failure_at) < _MOST_ASKERS:
            self._first_failure_at.setdefault(asker, now)
        self._last = (now, cause)
        if now - self._good_at < _GOOD_ANSWER_COUNTS_SECONDS:
            return False
        return len(self._first_failure_at) > 1 or now - min(self._first_failure_at.values()) >= _LASTING_SECONDS

    def good_answer(self, model: str, now: float) -> None:
        """Claude answered somebody: what failed before was about its request, or is over."""
        self._good_at = now
        self._good_at_by_model[model] = now
        self._good_at_by_model.move_to_end(model)
        if len(self._good_at_by_model) > _MOST_MODELS:
            self._good_at_by_model.popitem(last=False)
        self.clear()

    def answered_since(self, at: float, model: str | None = None) -> bool:
        """Whether anybody has been answered after this moment, by this model when one is given."""
        good_at = self._good_at if model is None else self._good_at_by_model.get(model, float("-inf"))
        return good_at > at

    def clear(self) -> None:
        """What was noted is settled."""
        self._first_failure_at.clear()
        self._last = None

    def last(self, now: float) -> Fallback | None:
        """The last failure since the last good answer, while it is remembered."""
        if self._last is None or now - self._last[0] >= _FORGOTTEN_AFTER_SECONDS:
            return None
        return self._last[1]


def asker(request: Mapping[str, Any]) -> str:
    """The same for all requests of a conversation, as far as they can tell: a digest of how it begins.

    `request` is for Claude, and may be anything that JSON can say.
    """
    messages = request.get("messages")
    said = messages if isinstance(messages, list) else []
    first = next((message for message in said if isinstance(message, dict) and message.get("role") == "user"), None)
    try:
        beginning = orjson.dumps([request.get("model"), request.get("system"), first])
    except orjson.JSONEncodeError:  # nested more deeply than can be written
        beginning = b""
    return blake2b(beginning, digest_size=16).hexdigest()
