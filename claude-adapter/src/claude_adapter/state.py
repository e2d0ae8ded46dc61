"""`GET /state`: is Claude usable, and if not, why? Answered from memory, never from the network."""

import time
from typing import Any

from claude_adapter.availability.breaker import Breaker, View
from claude_adapter.availability.probe import Prober
from claude_adapter.availability.reasons import Words
from claude_adapter.upstream.key import ApiKey

_UNPROVEN = Words(
    "Something answers at ANTHROPIC_BASE_URL, but has no list of models to try the key with.",
    "Nothing to do: the first request will show whether it is Claude.",
)
_LONGEST_NAME = 128  # a client chooses it; the gateway, which asks twice a second, reads a bounded document


def state_document(breaker: Breaker, key: ApiKey, prober: Prober, model: str) -> dict[str, Any]:
    """The JSON of `/state`. All times are Unix seconds."""
    clock_to_unix = time.time() - breaker.clock()

    def unix(at: float | None) -> float | None:
        return None if at is None else round(at + clock_to_unix, 3)

    def summary(view: View) -> dict[str, Any]:
        reason = view.cause.reason if view.cause else None
        return {"reason": reason, "since": unix(view.since), "retry_at": unix(view.retry_at)}

    view = breaker.view()
    failure = breaker.last_failure
    words, detail = _words(view, breaker, prober)
    return {
        "usable": view.state != "open",
        "state": view.state,
        **summary(view),
        "detail": detail,
        "words": words._asdict(),
        "model": model,
        "key": key.value is not None,
        "opens": view.opens,
        "last_success": unix(breaker.last_success_at),
        "last_failure": failure
        and {
            "reason": failure[1].reason,
            "at": unix(failure[0]),
            "detail": failure[1].detail,
            "status": failure[1].status,
        },
        "probe": {
            "result": prober.last[1] if prober.last else None,
            "at": unix(prober.last[0]) if prober.last else None,
        },
        "models": {
            name[:_LONGEST_NAME]: {"state": of_model.state, **summary(of_model)}
            for name, of_model in breaker.models().items()
        },
    }


def _words(view: View, breaker: Breaker, prober: Prober) -> tuple[Words, str]:
    """What a person should read, and the same with what was really seen as one text."""
    if view.cause is not None:
        detail = view.cause.detail
        if view.state == "half_open":
            detail += " The next request tries Claude again."
        elif view.opens > 1 and view.cause.reason != "drill":
            detail += f" It has failed {view.opens} times right after coming back, so we wait a little longer."
        return view.cause.words, detail
    if failure := breaker.unexplained():
        words = Words("Claude is usable, but the last request has failed.", failure.words.do)
        return words, f"Claude is usable, but the last request has failed: {failure.detail}"
    if prober.last is not None and prober.last[1] == "unproven" and breaker.last_success_at is None:
        return _UNPROVEN, " ".join(_UNPROVEN)
    return Words("Claude answers.", "Nothing to do."), "Claude is usable."
