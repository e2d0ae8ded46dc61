"""One circuit of the breaker: closed, open or half open, and how it closes again. Pure.

How depends on the reason it opened for:

* by a good probe: what a free `GET /v1/models` can prove: network, key, a working API. After an answer that proves
  nothing (a gateway without a list of models) a real request tries;
* by a trial: what only a real request can prove; after a delay the circuit is half open and lets one through; of a
  silent Claude a failed probe gives a better reason meanwhile, which a good one then closes.
"""

from dataclasses import dataclass
from typing import Literal

from claude_adapter.availability.reasons import Fallback

State = Literal["closed", "open", "half_open"]

_TRIAL_FIRST_DELAY_SECONDS = 5.0
_TRIAL_LONGEST_DELAY_SECONDS = 60.0
_RETRY_AFTER_LONGEST_SECONDS = 3600.0
_RETRY_AFTER_SHORTEST_SECONDS = 1.0
_FLAPPING_SECONDS = 30.0  # open again this soon after closing: the probe was too optimistic
_DAMPING_LONGEST_SECONDS = 30.0
_EVIDENCE_SECONDS = 60.0  # so long after the last failure of a request nobody knows any more


@dataclass(slots=True)
class Circuit:
    """One circuit. Times are the clock's seconds. `opens` counts openings that followed soon upon a close."""

    state: State = "closed"
    cause: Fallback | None = None
    changed_at: float = 0.0
    closed_at: float | None = None
    retry_at: float | None = None  # by a trial: half open from then on; else: a probe was answered, which ends it then
    opens: int = 0
    trial_taken: bool = False
    proven: bool = True  # whether the probe that was answered proved that Claude can be used
    unconfirmed: bool = False  # opened for what requests met; no probe has failed since, and no request been answered
    failed_at: float | None = None  # half open by what requests met, and no probe: the last of them

    def refresh(self, now: float) -> None:
        """Let the time that has passed take effect."""
        if self.failed_at is not None and now - self.failed_at >= _EVIDENCE_SECONDS:
            self.close(now)
        if self.state != "open" or self.cause is None or self.retry_at is None or now < self.retry_at:
            return
        if self.cause.is_tried or not self.proven:
            self.state, self.changed_at, self.trial_taken = "half_open", now, False
        else:
            self.close(now)

    def open(self, cause: Fallback, now: float) -> None:
        """Open, or open again after a failed trial."""
        soon = self.closed_at is not None and now - self.closed_at < _FLAPPING_SECONDS
        tried = self.state == "half_open" and self.failed_at is None
        self.opens = self.opens + 1 if soon or tried else 1
        self.state, self.cause, self.changed_at, self.trial_taken = "open", cause, now, False
        self.proven, self.failed_at = True, None
        self.retry_at = now + self._trial_delay_seconds(cause) if cause.is_tried else None

    def half_open(self, cause: Fallback, now: float) -> None:
        """Several requests have failed, though no probe has: half open at once."""
        if self.state == "closed":
            self.state, self.changed_at, self.trial_taken, self.retry_at = "half_open", now, False, None
        self.cause, self.failed_at = cause, now

    def close(self, now: float) -> None:
        """Claude is usable again."""
        if self.failed_at is None:
            self.closed_at = now
        self.state, self.cause, self.changed_at = "closed", None, now
        self.retry_at, self.trial_taken, self.proven, self.failed_at = None, False, True, None

    def probe_answered(self, now: float, *, proven: bool) -> None:
        """A probe did not fail: the outage ends now, or after a while when that has gone wrong just before."""
        if self.state == "open" and self.cause and not self.cause.is_tried and self.retry_at is None:
            damping_seconds = 0.0 if self.opens <= 1 else min(_DAMPING_LONGEST_SECONDS, 2.0 ** (self.opens - 2))
            self.retry_at, self.proven = self.changed_at + damping_seconds, proven
        self.refresh(now)

    def _trial_delay_seconds(self, cause: Fallback) -> float:
        if cause.retry_after_seconds is not None:
            return min(_RETRY_AFTER_LONGEST_SECONDS, max(_RETRY_AFTER_SHORTEST_SECONDS, cause.retry_after_seconds))
        return min(_TRIAL_LONGEST_DELAY_SECONDS, _TRIAL_FIRST_DELAY_SECONDS * 2.0 ** min(self.opens - 1, 10))
