"""What Anthropic says when the account or the credential is the trouble, in an error that looks like the client's own.

Each row was reported in public; the reports are named beside it.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from claude_adapter.availability.reasons import Reason, Words


class AccountError(NamedTuple):
    """What Anthropic's message begins with, the reason that this is, and its words."""

    begins: re.Pattern[str]
    reason: Reason
    words: Words


def _row(begins: str, reason: Reason, what: str, do: str) -> AccountError:
    return AccountError(re.compile(begins, re.IGNORECASE), reason, Words(what, do))


_ROWS = (
    # anthropics/claude-code#72457, #9384, #75341, #8327; of an account: router-for-me/CLIProxyAPI#3409
    _row(
        r"(this|your) (organization|account|workspace|api key) (has been|is|was) (disabled?|suspended|deactivated)\b",
        "permission",
        "Anthropic has disabled this organization or account.",
        "Ask Anthropic's support, or set another account's key.",
    ),
    # openclaw/openclaw#559, anthropics/claude-code#8046
    _row(
        r"this credential is only authorized for use with\b",
        "permission",
        "This credential is for Claude Code alone.",
        "Set ANTHROPIC_API_KEY to an API key from the Console.",
    ),
    # anthropics/claude-code#65714, #65044
    _row(
        r"oauth authentication is currently not allowed\b",
        "permission",
        "This organization allows no use of a subscription here.",
        "Set ANTHROPIC_API_KEY to an API key from the Console.",
    ),
    # anthropics/claude-code#9635, #29497
    _row(
        r"oauth token (has been revoked|has expired)\b",
        "auth",
        "Anthropic has revoked this token.",
        "Set a new API key.",
    ),
    # langgenius/dify-official-plugins#3784, SenteLabsAI/OpenExecutive#128
    _row(
        r"(anthropic-workspace-id is required\b|this api key is not scoped to a workspace\b)",
        "permission",
        "This API key belongs to no workspace.",
        "Set ANTHROPIC_API_KEY to a key that was made in one.",
    ),
    # anthropics/claude-code#2656
    _row(
        r"access to anthropic models is not allowed from\b",
        "permission",
        "Anthropic does not serve the place this machine asks from.",
        "Check its proxy or network.",
    ),
    # anthropics/claude-code#66314, anthropics/claude-quickstarts#229
    _row(
        r"(your )?credit balance is too low\b",
        "billing",
        "The credit balance is too low.",
        "Add credit in the Console.",
    ),
    # of an organization: anthropics/claude-code#38038; of a workspace: #1047, #55998; of a month: #67939
    _row(
        r"(you have (reached|hit)|you've (reached|hit)|this (request )?(exceeds|would exceed))\b.*"
        r"\b((spend|spending|usage) limits?|monthly limit)\b",
        "quota",
        "The usage limit is reached.",
        "Raise it in the Console.",
    ),
    # earendil-works/pi#2943; anthropics/claude-code#45069, NousResearch/hermes-agent#31668
    _row(
        r"(you're out of extra usage|third-party apps now draw from your extra usage)\b",
        "quota",
        "The subscription's extra usage is used up.",
        "Add more at claude.ai/settings/usage, or set an API key.",
    ),
)

# Behind a quotation mark or a colon Anthropic may quote the request, in which a person can have written anything.
_QUOTE = re.compile(r"[\"`“”:]|(?<!\w)'")


def account_error(error: Mapping[str, Any] | None) -> AccountError | None:
    """The row that `error` (`{"type", "message"}`) is, by its own words alone; None when it is about something else."""
    words = own_words(error)
    return next((row for row in _ROWS if row.begins.match(words)), None)


def own_words(error: Mapping[str, Any] | None) -> str:
    """The part of an error's message that cannot be a quotation of the request."""
    return _QUOTE.split(str((error or {}).get("message") or "").strip(), maxsplit=1)[0]
