"""What can be wrong with Anthropic, and the reasons that may be given for it.

One list for the fault table, its test, and the soak.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fault:
    """`script` is for the stand-in; `base_url` takes its place where no stand-in can show the fault.

    `reasons` may be several: of a silent Claude the first request says `first_token`, and the next probe `timeout`.
    """

    name: str
    reasons: str
    script: dict[str, Any] = field(default_factory=dict)
    base_url: str = ""


LIMIT_REACHED = {"error_code": "enforced_spend_limit_reached"}
LOW_CREDIT = "Your credit balance is too low to access the Anthropic API."
SPEND_LIMIT = "You have reached your specified API usage limits. You will regain access on 2026-12-01."

SCRIPTED = [
    Fault("refused", "connect", {"refuse": True}),
    Fault("reset", "connect", {"cut": "reset"}),
    # On a connection that was open before, this one still acknowledges what it never answers.
    Fault("black hole", "connect timeout first_token", {"black_hole": True}),
    Fault("slow headers", "first_token timeout", {"delay_seconds": 30}),
    Fault("silent", "first_token timeout", {"accept_but_silent": True}),
    Fault("stream that stays silent", "first_token timeout", {"silent_after_events": 0}),
    Fault("stream of pings", "first_token timeout", {"silent_after_events": 0, "pings": True}),
    Fault("401", "auth", {"status": 401}),
    Fault("402", "billing", {"status": 402}),
    Fault("403", "permission", {"status": 403}),
    Fault("404 for a model", "model_not_found", {"status": 404, "message": "model: claude-gone", "paths": "messages"}),
    Fault("408", "timeout", {"status": 408}),
    Fault("429", "rate_limit", {"status": 429}),
    Fault("429 with retry-after", "rate_limit", {"status": 429, "headers": {"retry-after": "1"}}),
    Fault("429, monthly limit", "quota", {"status": 429, "details": LIMIT_REACHED}),
    Fault("400, no credit", "billing", {"status": 400, "message": LOW_CREDIT}),
    Fault("400, spend limit", "quota billing", {"status": 400, "message": SPEND_LIMIT}),
    Fault("500", "server_error", {"status": 500}),
    Fault("502, empty", "server_error", {"status": 502, "body": ""}),
    Fault("503 as HTML", "server_error", {"status": 503, "body": "<html>down</html>", "content_type": "text/html"}),
    Fault("504", "timeout", {"status": 504}),
    Fault("529", "overloaded", {"status": 529}),
    Fault("captive portal", "protocol", {"body": "<html>log in</html>", "content_type": "text/html"}),
    Fault("truncated", "protocol connect", {"cut": "half_event", "cut_after_events": 0}),
    Fault("empty 200", "protocol", {"body": ""}),
    Fault("wrong content type", "protocol", {"body": "{}", "content_type": "application/octet-stream"}),
    Fault("error before content", "overloaded", {"error_type": "overloaded_error", "error_after_events": 0}),
    Fault("garbage", "protocol", {"garbage": True}),
]
