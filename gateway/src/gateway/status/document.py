"""The JSON of `/status`, version 1: what Status knows, in words, with the last day. Documented in docs/status.md.

Keys are only ever added; one that changes its meaning makes a new version.
"""

import time
from typing import Any, Literal

from gateway.reasons import HEADLINES, words_for
from gateway.status.history import SLOT_SECONDS, History
from gateway.status.poller import Status
from gateway.status.traffic import REFUSED_SIDE_TASKS

View = Literal["full", "public"]
Json = dict[str, Any]

_LETTERS = {"claude": "c", "local": "l", "none": "n", None: "."}


def full_document(status: Status, history: History, now: float | None = None) -> Json:
    """All facts. Times are Unix seconds."""
    now = time.time() if now is None else now
    known = status.snapshot()
    active, reason = known["active_backend"], known["reason"]
    words = words_for(active, reason, status.claude.words)
    return {
        **known,
        "ready": active != "none",
        "words": {"headline": HEADLINES[active], "what": words.what, "do": words.do},
        "day": {
            "slot_seconds": SLOT_SECONDS,
            "slots": "".join(_LETTERS[slot] for slot in history.slots(now)),
            "ends_at": (int(now // SLOT_SECONDS) + 1) * SLOT_SECONDS,
            "kept": history.kept,
        },
        "traffic": {backend: _traffic(history, backend) for backend in ("claude", "local")},
        "nobody_requests": int(history.sum("none_requests")),
        "refused_side_tasks": int(history.sum(REFUSED_SIDE_TASKS)),
    }


def public_document(full: Json) -> Json:
    """What PILOT_STATUS_PUBLIC=1 shows without a key, and no more."""
    return {name: full[name] for name in ("version", "active_backend", "since", "ready")}


def _traffic(history: History, backend: str) -> Json:
    streams = history.sum(f"{backend}_first_words")
    seconds = history.sum(f"{backend}_first_words_seconds")
    return {
        "requests": int(history.sum(f"{backend}_requests")),
        "first_token_seconds": round(seconds / streams, 3) if streams else None,
    }
