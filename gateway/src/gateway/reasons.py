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

WORDS: dict[str, Words] = {
    "no_key": Words(
        "No API key is set, so Claude has never been asked.",
        "Put your key into ANTHROPIC_API_KEY or the key file. A key file is noticed within seconds, without a restart.",
    ),
    "auth": Words(
        "Anthropic rejected the API key.",
        "Put a new key into ANTHROPIC_API_KEY_FILE; I will notice within seconds. A key in .env needs a restart.",
    ),
    "permission": Words(
        "The API key is known, but it may not do this.",
        "Check the key's workspace and permissions in the Anthropic Console. I go on trying.",
    ),
    "billing": Words(
        "Anthropic asks for money: the credit is used up or a payment failed.",
        "Add credit on the billing page of the Anthropic Console. I will notice with one of the next requests.",
    ),
    "quota": Words(
        "The spend limit of the account is reached.",
        "Raise the limit in the Anthropic Console, or wait for the next period. I will notice by myself.",
    ),
    "rate_limit": Words(
        "Anthropic limits how many requests this account may make.",
        "Wait a little: I go back when the limit allows. If it happens often, ask less or ask Anthropic for more.",
    ),
    "overloaded": Words("Anthropic has more requests than it can answer just now.", _WAIT),
    "server_error": Words("Anthropic has a fault on its side.", f"{_WAIT} status.anthropic.com may say more."),
    "model_not_found": Words(
        "Anthropic does not know the model that was asked for.",
        "Correct CLAUDE_MODEL, or the model name that your client sends.",
    ),
    "connect": Words(
        "Anthropic cannot be reached from this machine.",
        "Check this machine's network, and ANTHROPIC_BASE_URL if you set it. I look again every few seconds.",
    ),
    "timeout": Words(
        "Anthropic does not answer in time.",
        "Check this machine's network if it lasts. I look again every few seconds.",
    ),
    "first_token": Words("Claude took the request but did not begin to answer in time.", _WAIT),
    "stall": Words("Claude stopped in the middle of an answer.", _WAIT),
    "protocol": Words(
        "What answers in Anthropic's place does not speak its language: perhaps a proxy or a login page.",
        "Check ANTHROPIC_BASE_URL and whether this network wants you to log in.",
    ),
    "adapter_down": Words(
        "My own part that talks to Anthropic is not running.",
        "It is being started again. If this lasts for a minute, its log (claude-adapter) says why.",
    ),
    "drill": Words("This is a drill: Claude is kept away on purpose.", "Nothing to do: it ends by itself."),
}
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
        return CLAUDE_IS_ON
    words = adapters or WORDS.get(reason or "", UNKNOWN)
    if active == "none":
        return Words(f"{words.what} The local model is not ready either.", words.do)
    return words
