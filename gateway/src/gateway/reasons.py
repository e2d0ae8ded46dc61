"""Why it is not Claude who answers: the closed list, and the words that only the gateway can say.

claude-adapter owns the reasons and words them in `/state`; a test holds this list to its own.
"""

from dataclasses import dataclass

REASONS = (
    "no_key",
    "auth",
    "permission",
    "billing",
    "quota",
    "rate_limit",
    "overloaded",
    "server_error",
    "model_not_found",
    "connect",
    "timeout",
    "first_token",
    "stall",
    "protocol",
    "adapter_down",
    "drill",
)


@dataclass(frozen=True)
class Words:
    """`what` happened, and what to `do`; both whole sentences."""

    what: str
    do: str


_WAIT = "Nothing to do: I look again every few seconds and go back to Claude by myself."

ADAPTER_DOWN = Words(
    "My own part that talks to Anthropic is not running.",
    "It is being started again. If this lasts for a minute, its log (claude-adapter) says why.",
)
UNKNOWN = Words("Claude cannot be used just now.", _WAIT)
CLAUDE_IS_ON = Words("Claude answers.", "Nothing to do.")

HEADLINES = {
    "claude": "Claude is answering",
    "local": "The small local model is answering",
    "none": "Nobody can answer right now",
}


def words_for(active: str, reason: str | None, adapters: Words | None = None) -> Words:
    """The words for an active backend (`claude`, `local`, `none`) and the reason why it is not Claude.

    `adapters` are those that claude-adapter gave for the reason.
    """
    if active == "claude":
        return adapters or CLAUDE_IS_ON
    words = adapters or (ADAPTER_DOWN if reason == "adapter_down" else UNKNOWN)
    if active == "none":
        return Words(f"{words.what} The local model is not ready either.", words.do)
    return words
