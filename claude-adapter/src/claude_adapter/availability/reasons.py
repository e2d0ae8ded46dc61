"""Why Claude cannot be used: the closed list of reasons, with one row for all that follows from each.

The words are for a person at the status page; nobody else words a reason that is here.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Reason = Literal[
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
]


class Words(NamedTuple):
    """What happened, and what to do; both whole sentences."""

    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Row:
    """One reason.

    `closed_by`: what proves that it is over: the free probe, or only a real request (`trial`); `itself` when it ends by
    itself. `probe_explains`: a failing probe may find a better reason. `of_one_model`: other models go on. `dead_line`:
    as a probe's result it means that nothing can come any more for those who wait. `may_pass`: it may be over in
    seconds without anybody's doing, which a tool loop waits for.
    """

    words: Words
    closed_by: Literal["probe", "trial", "itself"]
    probe_explains: bool = False
    of_one_model: bool = False
    dead_line: bool = False
    may_pass: bool = False


_WAIT = "Nothing to do: I look again every few seconds and go back to Claude by myself."

REASONS: dict[Reason, Row] = {
    "no_key": Row(
        Words(
            "No API key is set, so Claude has never been asked.",
            "Put your key into ANTHROPIC_API_KEY or the key file. A key file is noticed within seconds, without a "
            "restart.",
        ),
        closed_by="probe",
    ),
    "auth": Row(
        Words(
            "Anthropic rejected the API key.",
            "Put a new key into ANTHROPIC_API_KEY_FILE; I will notice within seconds. A key in .env needs a restart.",
        ),
        closed_by="probe",
    ),
    "permission": Row(
        Words(
            "The API key is known, but it may not do this.",
            "Check the key's workspace and permissions in the Anthropic Console. I go on trying.",
        ),
        closed_by="probe",
    ),
    "billing": Row(
        Words(
            "Anthropic asks for money: the credit is used up or a payment failed.",
            "Add credit on the billing page of the Anthropic Console. I will notice with one of the next requests.",
        ),
        closed_by="trial",
    ),
    "quota": Row(
        Words(
            "The spend limit of the account is reached.",
            "Raise the limit in the Anthropic Console, or wait for the next period. I will notice by myself.",
        ),
        closed_by="trial",
    ),
    "rate_limit": Row(
        Words(
            "Anthropic limits how many requests this account may make.",
            "Wait a little: I go back when the limit allows. If it happens often, ask less or ask Anthropic for more.",
        ),
        closed_by="trial",
        of_one_model=True,
        may_pass=True,
    ),
    "overloaded": Row(
        Words("Anthropic has more requests than it can answer just now.", _WAIT),
        closed_by="probe",
        of_one_model=True,
        may_pass=True,
    ),
    "server_error": Row(
        Words("Anthropic has a fault on its side.", f"{_WAIT} status.anthropic.com may say more."),
        closed_by="probe",
        may_pass=True,
    ),
    "model_not_found": Row(
        Words(
            "Anthropic does not know the model that was asked for.",
            "Correct CLAUDE_MODEL, or the model name that your client sends.",
        ),
        closed_by="trial",
        of_one_model=True,
    ),
    "connect": Row(
        Words(
            "Anthropic cannot be reached from this machine.",
            "Check this machine's network, and ANTHROPIC_BASE_URL if you set it. I look again every few seconds.",
        ),
        closed_by="probe",
        dead_line=True,
        may_pass=True,
    ),
    "timeout": Row(
        Words(
            "Anthropic does not answer in time.",
            "Check this machine's network if it lasts. I look again every few seconds.",
        ),
        closed_by="probe",
        dead_line=True,
        may_pass=True,
    ),
    # A Claude that lists its models and says nothing more would cost every request the whole wait, were a probe
    # believed.
    "first_token": Row(
        Words("Claude took the request but did not begin to answer in time.", _WAIT),
        closed_by="trial",
        probe_explains=True,
        may_pass=True,
    ),
    "stall": Row(
        Words("Claude stopped in the middle of an answer.", _WAIT),
        closed_by="trial",
        probe_explains=True,
        may_pass=True,
    ),
    "protocol": Row(
        Words(
            "What answers in Anthropic's place does not speak its language: perhaps a proxy or a login page.",
            "Check ANTHROPIC_BASE_URL and whether this network wants you to log in.",
        ),
        closed_by="probe",
    ),
    "adapter_down": Row(  # said by the gateway, when this service cannot be asked
        Words(
            "My own part that talks to Anthropic is not running.",
            "It is being started again. If this lasts for a minute, its log (claude-adapter) says why.",
        ),
        closed_by="itself",
    ),
    "drill": Row(
        Words("This is a drill: Claude is kept away on purpose.", "Nothing to do: it ends by itself."),
        closed_by="itself",
        may_pass=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Fallback:
    """Claude's or the operator's failure: the backup should answer. `detail` says what was seen.

    `needs_evidence`: it may be about this one request only, so that it says nothing yet about those of others.
    `silent_seconds`: for so long nothing has come, which says nothing of others while Claude answers some of them.
    `needs_trial`: only a real request can show that it is over, also where a probe would do for the reason.
    `is_transient`: the next attempt may succeed. `dead_connection`: a kept connection had died before this request.
    `own_words`: more exact than those of the reason.
    """

    reason: Reason
    detail: str
    retry_after_seconds: float | None = None
    status: int | None = None
    needs_evidence: bool = False
    silent_seconds: float | None = None
    needs_trial: bool = False
    is_transient: bool = False
    dead_connection: bool = False
    own_words: Words | None = None

    @property
    def words(self) -> Words:
        """What a person should read."""
        return self.own_words or REASONS[self.reason].words

    @property
    def is_tried(self) -> bool:
        """Whether only a real request can prove that this is over."""
        return self.needs_trial or REASONS[self.reason].closed_by == "trial"

    @property
    def may_pass(self) -> bool:
        """Whether this may be over in seconds without anybody's doing."""
        return self.is_transient or REASONS[self.reason].may_pass

    @property
    def is_probed(self) -> bool:
        """Whether a probe can close this, or tell more."""
        return not self.is_tried or REASONS[self.reason].probe_explains


# "unproven": there is an answer, which says neither that Claude can be used nor that it cannot.
ProbeResult = Fallback | Literal["ok", "unproven"]
