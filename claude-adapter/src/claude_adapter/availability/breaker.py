"""Is Claude usable? A circuit breaker as a pure state machine: no I/O, and time comes from the injected clock.

There is one circuit for everything and one per model that is in trouble on its own. A failure of the way to Claude or
of the account opens at once. One that may be about its own request only (`needs_evidence`) opens when a probe fails
too; without that, when others fail as well and nobody is answered, the circuit is half open: one request at a time
goes on trying, and the first good answer closes it. Silence opens, unless others were answered meanwhile: of another
model, then only this model's; of the same one, then nothing. A drill lies over it all until its time is over.
"""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from claude_adapter.availability.circuit import Circuit, State
from claude_adapter.availability.evidence import Evidence
from claude_adapter.availability.reasons import REASONS, Fallback

_MOST_MODELS = 64


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

    __slots__ = ("_at", "_breaker", "_model", "_trials", "on_trial")

    def __init__(self, breaker: "Breaker", model: str, at: float, trials: list[Circuit], *, on_trial: bool) -> None:
        self.on_trial = on_trial  # a request has failed, and nobody has been answered since
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

    def failure(self, cause: Fallback, asker: str) -> None:
        """The request failed for a reason that is not the client's. `asker` is the same for one conversation."""
        self._release()
        self._breaker.failed(self._model, cause, self._at, asker)

    def _release(self) -> None:
        for circuit in self._trials:
            circuit.trial_taken = False
        self._trials = []


class Breaker:
    """The circuits, the drill, and what is remembered of the last requests.

    `on_open(reason)` is called whenever a circuit opens, `on_suspicion()` when a request has failed in a way that a
    probe may explain; `clock` gives seconds and never goes back.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        default_model: str,
        on_open: Callable[[str], None],
        on_suspicion: Callable[[], None],
    ) -> None:
        self.clock = clock
        self.last_success_at: float | None = None
        self.last_failure: tuple[float, Fallback] | None = None
        self._default_model = default_model
        self._on_open = on_open
        self._on_suspicion = on_suspicion
        self._evidence = Evidence()
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
        circuits = self._circuits(model)
        trials = [circuit for circuit in circuits if circuit.state == "half_open"]
        for circuit in trials:
            circuit.trial_taken = True
        unconfirmed = any(circuit.unconfirmed for circuit in circuits) or self.unexplained() is not None
        return Admission(self, model, self.clock(), trials, on_trial=unconfirmed or bool(trials))

    def refuses_until(self, model: str | None = None) -> float | None:
        """While it refuses: when it will let a request try, where that is known."""
        if self.clock() < self._drill_until:
            return self._drill_until
        open_ones = [circuit for circuit in self._circuits(model) if circuit.state == "open"]
        return max((circuit.retry_at for circuit in open_ones if circuit.retry_at is not None), default=None)

    def succeeded(self, model: str, trials: list[Circuit]) -> None:
        """Called by an admission: its trials close, and flapping is forgiven step by step."""
        now = self.clock()
        self.last_success_at = now
        self._evidence.good_answer(model, now)
        for circuit in self._circuits(model):
            if circuit.state == "half_open" and (circuit.failed_at is not None or circuit in trials):
                circuit.close(now)
            elif circuit.state == "closed":
                circuit.opens = max(0, circuit.opens - 1)
            circuit.unconfirmed = False

    def failed(self, model: str, cause: Fallback, admitted_at: float, asker: str) -> None:
        """Called by an admission. A request let in before the last change says nothing about the time since."""
        now = self.clock()
        self.last_failure = (now, cause)
        circuit = self._circuit_for(model, cause, now)
        if circuit is None:
            self._on_suspicion()
            return
        circuit.refresh(now)
        if circuit.state == "open" or circuit.changed_at > admitted_at:
            return
        if not cause.needs_evidence:
            self._open(circuit, cause, now)
            circuit.unconfirmed = True
            return
        if circuit.failed_at is not None:
            circuit.half_open(cause, now)
        elif circuit.state == "closed" and self._evidence.failure(asker, cause, now):
            circuit.half_open(cause, now)
            self._on_open(cause.reason)
        self._on_suspicion()

    def probe_answered(self, *, proven: bool) -> None:
        """A probe did not fail. (Unless the key was taken away while it was under way.)"""
        if not self._has_key:
            return
        now = self.clock()
        for circuit in (self._everything, *self._models.values()):
            circuit.probe_answered(now, proven=proven)

    def probe_failed(self, cause: Fallback) -> None:
        """A probe failed. An open circuit takes over the newer reason; that is not another opening."""
        if not self._has_key:
            return
        now = self.clock()
        circuit = self._everything
        for confirmed in (circuit, *self._models.values()):
            confirmed.unconfirmed = False
        self.last_failure = (now, cause)
        if circuit.state == "open" and not cause.is_tried:
            circuit.cause, circuit.retry_at = cause, None
        else:
            self._open(circuit, cause, now)

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
        self._evidence.clear()
        if self._everything.failed_at is not None:
            self._everything.close(now)
        for circuit in (self._everything, *self._models.values()):
            circuit.unconfirmed = False
            if circuit.state == "open" and circuit.cause is not None:
                circuit.opens = 1
                circuit.retry_at = now if circuit.cause.is_tried else None

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
            circuit.failed_at is not None
            or (circuit.state == "open" and circuit.cause is not None and circuit.cause.is_probed)
            for circuit in (self._everything, *self._models.values())
        )

    def unexplained(self) -> Fallback | None:
        """What a request has met since the last good answer, when it may have been about that request only."""
        return self._evidence.last(self.clock())

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

    def _open(self, circuit: Circuit, cause: Fallback, now: float) -> None:
        if circuit is self._everything:
            self._evidence.clear()
        circuit.open(cause, now)
        self._on_open(cause.reason)

    def _circuits(self, model: str | None) -> list[Circuit]:
        of_model = self._models.get(model) if model is not None else None
        return [self._everything] if of_model is None else [self._everything, of_model]

    def _circuit_for(self, model: str, cause: Fallback, now: float) -> Circuit | None:
        """Whom this failure says something about; None: nobody but its own request."""
        of_one_model = REASONS[cause.reason].of_one_model
        if cause.silent_seconds is not None and self._evidence.answered_since(now - cause.silent_seconds):
            if self._evidence.answered_since(now - cause.silent_seconds, model):
                return None
            of_one_model = True
        if not of_one_model:
            return self._everything
        circuit = self._models.setdefault(model, Circuit())
        self._models.move_to_end(model)
        if len(self._models) > _MOST_MODELS:
            self._models.popitem(last=False)
        return circuit

    def _drill_cause(self) -> Fallback:
        return Fallback("drill", 'A drill is on: it ends by itself, or with POST /drill {"seconds": 0}.')
