"""Is Claude usable? A circuit breaker as a pure state machine: no I/O, and time comes from the injected clock.

There is one circuit for everything and one per model that is in trouble on its own. How an open circuit closes again
depends on the reason it opened for:

* by a good probe (`PROBED`): what a free `GET /v1/models` can prove: network, key, a working API;
* by a trial (`TRIAL`): what only a real request can prove; after a delay the circuit is half open and lets one through;
  of a silent Claude (`SILENCE`) a failed probe gives a better reason meanwhile, which a good one then closes;
* a drill lies over it all until its time is over.
"""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from claude_adapter.taxonomy import Fallback

State = Literal["closed", "open", "half_open"]

# A Claude that lists its models and says nothing more would cost every request the whole wait, were a probe believed.
SILENCE = frozenset({"first_token", "stall"})
TRIAL = frozenset({"billing", "quota", "rate_limit", "model_not_found"}) | SILENCE
OF_ONE_MODEL = frozenset({"rate_limit", "model_not_found", "overloaded"})

_TRIAL_FIRST_DELAY_SECONDS = 5.0
_TRIAL_LONGEST_DELAY_SECONDS = 60.0
_RETRY_AFTER_LONGEST_SECONDS = 3600.0
_RETRY_AFTER_SHORTEST_SECONDS = 1.0
_FLAPPING_SECONDS = 30.0  # open again this soon after closing: the probe was too optimistic
_DAMPING_LONGEST_SECONDS = 30.0
_MOST_MODELS = 64


@dataclass(slots=True)
class Circuit:
    """One circuit. Times are the clock's seconds. `opens` counts openings that followed soon upon a close."""

    state: State = "closed"
    cause: Fallback | None = None
    changed_at: float = 0.0
    closed_at: float | None = None
    retry_at: float | None = None  # TRIAL: half open from then on; PROBED: a good probe was seen, closed from then on
    opens: int = 0
    trial_taken: bool = False

    def refresh(self, now: float) -> None:
        """Let the time that has passed take effect."""
        if self.state != "open" or self.cause is None or self.retry_at is None or now < self.retry_at:
            return
        if self.cause.reason in TRIAL:
            self.state, self.changed_at, self.trial_taken = "half_open", now, False
        else:
            self.close(now)

    def open(self, cause: Fallback, now: float) -> None:
        """Open, or open again after a failed trial."""
        soon = self.closed_at is not None and now - self.closed_at < _FLAPPING_SECONDS
        self.opens = self.opens + 1 if soon or self.state == "half_open" else 1
        self.state, self.cause, self.changed_at, self.trial_taken = "open", cause, now, False
        self.retry_at = now + self._trial_delay_seconds(cause) if cause.reason in TRIAL else None

    def close(self, now: float) -> None:
        """Claude is usable again."""
        self.state, self.cause, self.changed_at, self.closed_at = "closed", None, now, now
        self.retry_at, self.trial_taken = None, False

    def probe_ok(self, now: float) -> None:
        """A probe went well: close now, or after a while when that has gone wrong just before."""
        if self.state == "open" and self.cause is not None and self.cause.reason not in TRIAL and self.retry_at is None:
            damping_seconds = 0.0 if self.opens <= 1 else min(_DAMPING_LONGEST_SECONDS, 2.0 ** (self.opens - 2))
            self.retry_at = self.changed_at + damping_seconds
        self.refresh(now)

    def _trial_delay_seconds(self, cause: Fallback) -> float:
        if cause.retry_after_seconds is not None:
            return min(_RETRY_AFTER_LONGEST_SECONDS, max(_RETRY_AFTER_SHORTEST_SECONDS, cause.retry_after_seconds))
        return min(_TRIAL_LONGEST_DELAY_SECONDS, _TRIAL_FIRST_DELAY_SECONDS * 2.0 ** min(self.opens - 1, 10))


@dataclass(frozen=True, slots=True)
class View:
    """What the breaker says about the default model, or about everything. Times are the clock's seconds."""

    state: State
    cause: Fallback | None
    since: float
    retry_at: float | None
    opens: int


class Admission(AbstractContextManager["Admission"]):
    """Leave to send one request. Leaving the `with` block without an outcome counts as neither good nor bad."""

    __slots__ = ("_at", "_breaker", "_model", "_trials")

    def __init__(self, breaker: "Breaker", model: str, at: float, trials: list[Circuit]) -> None:
        self._breaker = breaker
        self._model = model
        self._at = at
        self._trials = trials

    def __exit__(self, *_exc_info: object) -> None:
        self._release()

    def success(self) -> None:
        """Claude answered (or refused the client for the client's own mistake, which proves as much)."""
        self._breaker.succeeded(self._model, self._trials)
        self._at = self._breaker.clock()  # what happens to this request from here on is news again
        self._trials = []

    def failure(self, cause: Fallback) -> None:
        """The request failed for a reason that is not the client's."""
        self._release()
        self._breaker.failed(self._model, cause, self._at)

    def _release(self) -> None:
        for circuit in self._trials:
            circuit.trial_taken = False
        self._trials = []


class Breaker:
    """The circuits, the drill, and what is remembered of the last requests.

    `on_open(reason)` is called whenever a circuit opens; `clock` gives seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float], default_model: str, on_open: Callable[[str], None]) -> None:
        self.clock = clock
        self.last_success_at: float | None = None
        self.last_failure: tuple[float, Fallback] | None = None
        self._default_model = default_model
        self._on_open = on_open
        self._everything = Circuit(changed_at=clock())
        self._models: OrderedDict[str, Circuit] = OrderedDict()
        self._has_key = True
        self._drill_from = 0.0
        self._drill_until = 0.0

    def refusal(self, model: str | None = None) -> Fallback | None:
        """Why no request may go to Claude now (for `model`, when given); None when it may. Takes no trial slot."""
        now = self.clock()
        if now < self._drill_until:
            return self._drill_cause()
        for circuit in self._circuits(model):
            circuit.refresh(now)
            if circuit.cause is not None and (circuit.state == "open" or circuit.trial_taken):
                return circuit.cause
        return None

    def admit(self, model: str) -> Admission | Fallback:
        """Leave to send one request for `model`, or the reason why not."""
        if (refusal := self.refusal(model)) is not None:
            return refusal
        trials = [circuit for circuit in self._circuits(model) if circuit.state == "half_open"]
        for circuit in trials:
            circuit.trial_taken = True
        return Admission(self, model, self.clock(), trials)

    def succeeded(self, model: str, trials: list[Circuit]) -> None:
        """Called by an admission: its trials close, and flapping is forgiven step by step."""
        now = self.clock()
        self.last_success_at = now
        for circuit in self._circuits(model):
            if circuit in trials and circuit.state == "half_open":
                circuit.close(now)
            elif circuit.state == "closed":
                circuit.opens = max(0, circuit.opens - 1)

    def failed(self, model: str, cause: Fallback, admitted_at: float) -> None:
        """Called by an admission. A request let in before the last change says nothing about the time since."""
        now = self.clock()
        self.last_failure = (now, cause)
        circuit = self._circuit_for(model, cause)
        circuit.refresh(now)
        if circuit.state != "open" and circuit.changed_at <= admitted_at:
            circuit.open(cause, now)
            self._on_open(cause.reason)

    def probe_ok(self) -> None:
        """A probe went well: all that it can prove is well. (Unless the key was taken away while it was under way.)"""
        if not self._has_key:
            return
        now = self.clock()
        for circuit in (self._everything, *self._models.values()):
            circuit.probe_ok(now)

    def probe_failed(self, cause: Fallback) -> None:
        """A probe failed. An open circuit takes over the newer reason; that is not another opening."""
        if not self._has_key:
            return
        now = self.clock()
        circuit = self._everything
        self.last_failure = (now, cause)
        if circuit.state == "open" and cause.reason not in TRIAL:
            circuit.cause, circuit.retry_at = cause, None
        else:
            circuit.open(cause, now)
            self._on_open(cause.reason)

    def key_changed(self, problem: str | None) -> None:
        """A key is there (`problem` is None), or there is none and `problem` says so. A new key may be another account:
        what the old one had run into is tried again at once."""
        now = self.clock()
        self._has_key = problem is None
        if problem is not None:
            newly = self._everything.cause is None or self._everything.cause.reason != "no_key"
            self._everything.open(Fallback("no_key", problem), now)
            if newly:
                self._on_open("no_key")
            return
        for circuit in (self._everything, *self._models.values()):
            if circuit.state == "open" and circuit.cause is not None:
                circuit.opens = 1
                circuit.retry_at = now if circuit.cause.reason in TRIAL else None

    def drill(self, seconds: float) -> None:
        """Pretend an outage for `seconds` from now; 0 ends it."""
        now = self.clock()
        if seconds > 0 and now >= self._drill_until:
            self._drill_from = now
            self._on_open("drill")
        self._drill_until = now + seconds

    def wants_probe(self) -> bool:
        """Whether a probe could close anything, or tell more."""
        return self._has_key and any(
            circuit.state == "open" and circuit.cause is not None and circuit.cause.reason not in TRIAL - SILENCE
            for circuit in (self._everything, *self._models.values())
        )

    def view(self) -> View:
        """The drill, else the circuit of everything, else that of the default model."""
        now = self.clock()
        if now < self._drill_until:
            return View("open", self._drill_cause(), self._drill_from, self._drill_until, 0)
        for circuit in self._circuits(self._default_model):
            circuit.refresh(now)
            if circuit.state != "closed":
                return View(circuit.state, circuit.cause, circuit.changed_at, circuit.retry_at, circuit.opens)
        closed = self._everything
        return View("closed", None, closed.changed_at, None, closed.opens)

    def models(self) -> dict[str, View]:
        """The models in trouble on their own."""
        now = self.clock()
        for circuit in self._models.values():
            circuit.refresh(now)
        return {
            model: View(circuit.state, circuit.cause, circuit.changed_at, circuit.retry_at, circuit.opens)
            for model, circuit in self._models.items()
            if circuit.state != "closed"
        }

    def _circuits(self, model: str | None) -> list[Circuit]:
        of_model = self._models.get(model) if model is not None else None
        return [self._everything] if of_model is None else [self._everything, of_model]

    def _circuit_for(self, model: str, cause: Fallback) -> Circuit:
        if cause.reason not in OF_ONE_MODEL:
            return self._everything
        circuit = self._models.setdefault(model, Circuit())
        self._models.move_to_end(model)
        if len(self._models) > _MOST_MODELS:
            self._models.popitem(last=False)
        return circuit

    def _drill_cause(self) -> Fallback:
        return Fallback("drill", 'A drill is on: it ends by itself, or with POST /drill {"seconds": 0}.')
