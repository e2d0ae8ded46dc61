"""When is Claude usable? Each test walks the state machine with a clock of its own."""

import pytest

from claude_adapter.availability.breaker import Admission, Breaker
from claude_adapter.availability.reasons import REASONS, Fallback, Reason

PROBED: tuple[Reason, ...] = ("connect", "timeout", "server_error", "protocol", "auth", "permission")
LONE: tuple[Reason, ...] = (
    "permission",
    "server_error",
    "protocol",
    "timeout",
    "connect",
)  # which may be about one request only


class Bench:
    """A breaker, its clock, and the openings it reported."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.opened: list[str] = []
        self.suspicions = 0
        self.breaker = Breaker(lambda: self.now, "claude-default", self.opened.append, self._suspect)

    def admit(self, model: str = "claude-default") -> Admission:
        admission = self.breaker.admit(model)
        assert isinstance(admission, Admission)
        return admission

    def refused(self, model: str = "claude-default") -> str | None:
        refusal = self.breaker.refusal(model)
        return refusal.reason if refusal else None

    def fail(self, reason: Reason, retry_after: float | None = None, model: str = "claude-default") -> None:
        with self.admit(model) as admission:
            admission.failure(Fallback(reason, "x", retry_after), "somebody")

    def fail_alone(self, reason: Reason, asker: str = "somebody") -> None:
        """A request met what may be about itself only."""
        with self.admit() as admission:
            admission.failure(Fallback(reason, "x", needs_evidence=True), asker)

    def _suspect(self) -> None:
        self.suspicions += 1

    def succeed(self, model: str = "claude-default") -> None:
        with self.admit(model) as admission:
            admission.success()

    def state(self) -> tuple[str, str | None]:
        view = self.breaker.view()
        return view.state, view.cause.reason if view.cause else None


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("reason", [r for r in REASONS if r not in ("no_key", "adapter_down", "drill")])
def test_opens_on_the_first_failure(bench: Bench, reason: Reason) -> None:
    """One failure of the way or the account is enough: the next request gets the same reason without trying."""
    bench.fail(reason)
    assert bench.state() == ("open", reason)
    assert bench.refused() == reason
    assert bench.opened == [reason]


@pytest.mark.parametrize("reason", [*PROBED, "overloaded"])
def test_probe_closes(bench: Bench, reason: Reason) -> None:
    """What a probe can prove, a good probe closes, and nothing else does."""
    bench.fail(reason)
    bench.now += 3600
    assert bench.state() == ("open", reason)
    assert bench.breaker.wants_probe()
    bench.breaker.probe_answered(proven=True)
    assert bench.state() == ("closed", None)
    assert not bench.breaker.wants_probe()


@pytest.mark.parametrize("reason", ["billing", "quota", "rate_limit", "model_not_found"])
def test_probe_does_not_close_what_it_cannot_prove(bench: Bench, reason: Reason) -> None:
    """Credit, limits and models are proved by a real request only, so no probe is even wanted."""
    bench.fail(reason)
    assert not bench.breaker.wants_probe()
    bench.breaker.probe_answered(proven=True)
    assert bench.refused() == reason


def test_an_account_error_is_closed_by_a_trial(bench: Bench) -> None:
    """A disabled organization may still be shown the list of models: a good probe does not light Claude up again."""
    with bench.admit() as admission:
        admission.failure(Fallback("permission", "x", needs_trial=True), "somebody")
    assert not bench.breaker.wants_probe()
    bench.breaker.probe_answered(proven=True)
    assert bench.state() == ("open", "permission")
    bench.now += 5
    assert bench.state() == ("half_open", "permission")
    bench.succeed()
    assert bench.state() == ("closed", None)


@pytest.mark.parametrize("reason", ["first_token", "stall"])
def test_silence_is_tried_with_one_request(bench: Bench, reason: Reason) -> None:
    """A Claude that lists its models and says nothing more would cost every request the whole wait: so a good probe
    closes nothing, and after a while one request tries; it doubles each time."""
    waits = []
    for _ in range(3):
        bench.fail(reason)
        opened_at = bench.now
        while bench.refused():
            assert bench.breaker.wants_probe()
            bench.breaker.probe_answered(proven=True)
            bench.now += 0.5
        waits.append(bench.now - opened_at)
    assert waits == [5, 10, 20]
    trial = bench.admit()
    assert bench.refused() == reason
    trial.success()
    assert bench.state() == ("closed", None)


@pytest.mark.parametrize("reason", ["first_token", "stall"])
@pytest.mark.parametrize(
    ("answered", "state", "other_state"),
    [
        # model and how long ago somebody was answered, with 30 s of silence; what this model's next request meets, and
        # the other model's
        (None, "open", "open"),
        (("claude-default", 31), "open", "open"),
        (("claude-default", 29), "closed", "closed"),
        (("claude-other", 31), "open", "open"),
        (("claude-other", 29), "open", "closed"),
    ],
    ids=["nobody", "before", "meanwhile", "another model before", "another model meanwhile"],
)
def test_silence_proves_nothing_for_those_who_are_answered(
    bench: Bench, reason: Reason, answered: tuple[str, float] | None, state: str, other_state: str
) -> None:
    """While it lasted Claude answered others: then it was this request's; or, of another model, this model's."""
    slow = bench.admit()
    if reason == "stall":
        slow.success()  # its own first words are nobody else's
    bench.now += 60
    if answered:
        model, ago = answered
        bench.now -= ago
        bench.succeed(model)
        bench.now += ago
    slow.failure(Fallback(reason, "x", silent_seconds=30), "somebody")
    assert ("open" if bench.refused() else "closed") == state
    assert ("open" if bench.refused("claude-other") else "closed") == other_state
    assert bench.suspicions == (state == "closed"), "a probe looks whether it was more than that"


def test_silence_that_a_probe_explains_is_closed_by_a_probe(bench: Bench) -> None:
    """The whole API is silent: then its first good sign is enough."""
    bench.fail("first_token")
    bench.breaker.probe_failed(Fallback("timeout", "x"))
    assert bench.state() == ("open", "timeout")
    bench.breaker.probe_answered(proven=True)
    assert bench.state() == ("closed", None)


def test_failed_probe_opens_and_renames(bench: Bench) -> None:
    """A failed probe opens; another reason found by a later probe replaces the first, and is not another opening."""
    bench.breaker.probe_failed(Fallback("connect", "x"))
    bench.breaker.probe_failed(Fallback("auth", "x"))
    assert bench.state() == ("open", "auth")
    assert bench.opened == ["connect"]


def test_damping(bench: Bench) -> None:
    """When probes are good but requests keep failing, closing waits 0, 1, 2, 4 … 30 s; a quiet time forgives it."""
    waits = []
    for _ in range(8):
        bench.fail("server_error")
        opened_at = bench.now
        bench.breaker.probe_answered(proven=True)
        while bench.refused():
            bench.now += 0.5
        waits.append(bench.now - opened_at)
    assert waits == [0, 1, 2, 4, 8, 16, 30, 30]
    bench.now += 31
    bench.fail("server_error")
    bench.breaker.probe_answered(proven=True)
    assert bench.refused() is None


def test_damping_is_undone_by_a_bad_probe(bench: Bench) -> None:
    """While closing waits, a bad probe takes the good one back."""
    for _ in range(3):
        bench.fail("server_error")
        bench.breaker.probe_answered(proven=True)
        bench.now += 2
        bench.breaker.view()
    bench.fail("server_error")
    bench.breaker.probe_answered(proven=True)
    bench.breaker.probe_failed(Fallback("connect", "x"))
    bench.now += 60
    assert bench.state() == ("open", "connect")


def test_success_forgives_step_by_step(bench: Bench) -> None:
    """A Claude that fails now and then is not treated like one that always fails."""
    for _ in range(10):
        bench.fail("server_error")
        bench.breaker.probe_answered(proven=True)
        assert bench.refused() is None
        bench.succeed()


@pytest.mark.parametrize(("retry_after", "wait"), [(None, 5.0), (20.0, 20.0), (0.0, 1.0), (86400.0, 3600.0)], ids=str)
def test_trial_after_a_delay(bench: Bench, retry_after: float | None, wait: float) -> None:
    """A limit is tried again after retry-after (1 s to 1 h), or 5 s: one request goes, others wait for its outcome."""
    bench.fail("quota", retry_after)
    bench.now += wait - 0.01
    assert bench.refused() == "quota"
    bench.now += 0.02
    assert bench.state() == ("half_open", "quota")
    with bench.admit() as trial:
        assert bench.refused() == "quota"
        trial.success()
        assert bench.refused() is None
    assert bench.state() == ("closed", None)


def test_failed_trials_back_off(bench: Bench) -> None:
    """Each failed trial doubles the delay, up to a minute."""
    waits = []
    bench.fail("billing")
    for _ in range(6):
        opened_at = bench.now
        while bench.refused():
            bench.now += 1
        waits.append(bench.now - opened_at)
        bench.fail("billing")
    assert waits == [5, 10, 20, 40, 60, 60]


def test_trial_slot_is_given_back(bench: Bench) -> None:
    """A trial that ends without an outcome (client gone, crash) counts as neither, and the next may try."""
    bench.fail("quota", 1.0)
    bench.now += 2
    with pytest.raises(RuntimeError), bench.admit():
        raise RuntimeError
    assert bench.state() == ("half_open", "quota")
    assert bench.refused() is None


def test_per_model(bench: Bench) -> None:
    """A mistyped or busy model does not take the others down, and is listed by its name."""
    bench.fail("model_not_found", model="claude-tpyo")
    bench.fail("overloaded", model="claude-busy")
    assert bench.refused("claude-tpyo") == "model_not_found"
    assert bench.refused("claude-busy") == "overloaded"
    assert bench.refused() is None
    assert bench.state() == ("closed", None)
    assert set(bench.breaker.models()) == {"claude-tpyo", "claude-busy"}
    bench.breaker.probe_answered(proven=True)
    assert set(bench.breaker.models()) == {"claude-tpyo"}


def test_models_are_bounded(bench: Bench) -> None:
    """However many names are tried, only the last ones are remembered."""
    for number in range(500):
        bench.fail("model_not_found", model=f"claude-{number}")
    assert len(bench.breaker.models()) == 64


def test_late_failure_is_old_news(bench: Bench) -> None:
    """A request let in before an outage that is over says nothing about now."""
    late = bench.admit()
    bench.fail("connect")
    bench.now += 1
    bench.breaker.probe_answered(proven=True)
    bench.now += 1
    late.failure(Fallback("first_token", "x"), "somebody")
    assert bench.state() == ("closed", None)


def test_failure_after_success_is_news(bench: Bench) -> None:
    """A stream that began well and then stalls opens the breaker."""
    with bench.admit() as admission:
        admission.success()
        bench.now += 60
        admission.failure(Fallback("stall", "x"), "somebody")
    assert bench.state() == ("open", "stall")


def test_no_key(bench: Bench) -> None:
    """Without a key nothing is sent, a probe that was under way does not count, and a new key waits for its probe."""
    bench.breaker.key_changed("no key")
    bench.breaker.probe_answered(proven=True)
    assert bench.state() == ("open", "no_key")
    assert not bench.breaker.wants_probe()
    bench.breaker.key_changed(None)
    assert bench.state() == ("open", "no_key")
    assert bench.breaker.wants_probe()
    bench.breaker.probe_answered(proven=True)
    assert bench.state() == ("closed", None)


def test_new_key_may_be_another_account(bench: Bench) -> None:
    """A limit that the old key had run into is tried at once with a new key."""
    bench.fail("quota", 3600.0)
    bench.breaker.key_changed(None)
    assert bench.refused() is None
    assert bench.state() == ("half_open", "quota")


def test_drill(bench: Bench) -> None:
    """A drill lies over everything until its time is over or it is ended; what is below stays as it was."""
    bench.breaker.drill(20)
    assert bench.state() == ("open", "drill")
    assert bench.refused() == "drill"
    bench.breaker.probe_answered(proven=True)
    bench.now += 19
    assert bench.refused() == "drill"
    bench.now += 1
    assert bench.state() == ("closed", None)
    bench.breaker.drill(20)
    bench.breaker.drill(0)
    assert bench.state() == ("closed", None)
    assert bench.opened == ["drill", "drill"]


@pytest.mark.parametrize("reason", LONE)
def test_one_request_closes_claude_to_nobody(bench: Bench, reason: Reason) -> None:
    """What may be about one request only has a probe sent, and others go on; what it met is remembered for a minute."""
    bench.fail_alone(reason)
    assert (bench.state(), bench.refused(), bench.opened) == (("closed", None), None, [])
    assert bench.suspicions == 1
    met = bench.breaker.unexplained()
    assert met is not None
    assert met.reason == reason
    bench.now += 61
    assert bench.breaker.unexplained() is None


def test_a_failed_probe_is_evidence(bench: Bench) -> None:
    """Then it was not that request: open, until a probe is good."""
    bench.fail_alone("server_error")
    bench.breaker.probe_failed(Fallback("server_error", "x", needs_evidence=True))
    assert (bench.state(), bench.refused()) == (("open", "server_error"), "server_error")
    bench.breaker.probe_answered(proven=True)
    assert bench.state() == ("closed", None)


def test_two_askers_are_evidence(bench: Bench) -> None:
    """Two fail and nobody is answered: half open, one request at a time tries, and the first good answer closes it."""
    bench.fail_alone("server_error", "one")
    bench.fail_alone("server_error", "two")
    assert bench.state() == ("half_open", "server_error")
    assert bench.opened == ["server_error"]
    for _ in range(20):  # however often it fails, there is no growing wait
        with bench.admit() as trial:
            assert bench.refused() == "server_error"
            trial.failure(Fallback("server_error", "x", needs_evidence=True), "three")
        bench.breaker.probe_answered(proven=True)
        assert bench.refused() is None
    bench.succeed()
    assert bench.state() == ("closed", None)
    assert bench.opened == ["server_error"]


def test_one_asker_alone_is_evidence_after_a_while(bench: Bench) -> None:
    """Where nobody else asks, the status should still say that nothing is answered."""
    for _ in range(10):
        bench.fail_alone("permission")
        assert bench.state() == ("closed", None)
        bench.now += 1
    bench.fail_alone("permission")
    assert bench.state() == ("half_open", "permission")
    assert bench.refused() is None


@pytest.mark.parametrize("askers", [["one"], ["one", "two", "three"]], ids=["the same text", "always another text"])
def test_a_hostile_client_beside_a_bystander(bench: Bench, askers: list[str]) -> None:
    """Whoever is answered speaks for Claude: the bystander is never refused, from his second request on."""
    for turn in range(40):  # alone for 20 s
        if bench.refused() is None:
            bench.fail_alone("permission", askers[turn % len(askers)])
        bench.now += 0.5
    bench.succeed()
    for turn in range(200):
        bench.fail_alone("permission", askers[turn % len(askers)])
        assert bench.refused() is None
        bench.now += 0.25
        bench.succeed()
        assert bench.state() == ("closed", None)
        bench.now += 0.25


def test_an_outage_after_good_answers_is_seen(bench: Bench) -> None:
    """A good answer speaks for Claude for 5 s, not for longer."""
    bench.succeed()
    for turn in range(10):
        bench.fail_alone("server_error", f"asker {turn}")
        assert bench.state() == ("closed", None)
        bench.now += 0.5
    bench.fail_alone("server_error", "one more")
    assert bench.state() == ("half_open", "server_error")


def test_a_good_answer_to_anybody_ends_it(bench: Bench) -> None:
    """Also one that was let in before: half open by requests' failures is no longer believed."""
    early = bench.admit()
    bench.fail_alone("protocol", "one")
    bench.fail_alone("protocol", "two")
    assert bench.state() == ("half_open", "protocol")
    early.success()
    assert bench.state() == ("closed", None)


def test_what_requests_met_is_forgotten(bench: Bench) -> None:
    """A minute after the last failure nobody knows any more whether Claude fails; a new key settles it at once."""
    for asker in ("one", "two"):
        bench.fail_alone("permission", asker)
    assert bench.breaker.wants_probe()
    bench.now += 60
    assert bench.state() == ("closed", None)
    for asker in ("one", "two"):
        bench.fail_alone("permission", asker)
    bench.breaker.key_changed(None)
    assert bench.state() == ("closed", None)
    assert bench.breaker.unexplained() is None


def test_a_trial_that_proves_nothing_gives_the_slot_back(bench: Bench) -> None:
    """A limit is being tried, and the trial meets what may be its own: the next request tries."""
    bench.fail("quota", 1.0)
    bench.now += 2
    bench.fail_alone("permission")
    assert bench.state() == ("half_open", "quota")
    bench.succeed()
    assert bench.state() == ("closed", None)


@pytest.mark.parametrize("reason", PROBED)
def test_an_unproven_probe_has_a_request_try(bench: Bench, reason: Reason) -> None:
    """A gateway without a list of models answers the probe: that neither closes nor opens, a real request tries."""
    bench.breaker.probe_answered(proven=False)
    assert bench.state() == ("closed", None)
    bench.fail(reason)
    bench.breaker.probe_answered(proven=False)
    assert bench.state() == ("half_open", reason)
    with bench.admit() as trial:
        assert bench.refused() == reason
        trial.failure(Fallback(reason, "x"), "somebody")
    assert bench.state() == ("open", reason)
    bench.breaker.probe_answered(proven=False)
    bench.now += 1
    bench.succeed()
    assert bench.state() == ("closed", None)
