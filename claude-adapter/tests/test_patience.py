"""When is Claude asked again, and when does the breaker learn of a failure? Tables, without a clock or a server."""

from dataclasses import replace

import pytest

from claude_adapter import taxonomy
from claude_adapter.availability.patience import Patience, PatienceRules
from claude_adapter.availability.reasons import Fallback
from claude_adapter.endpoints.tool_loop import ends_in_tool_result
from claude_adapter.taxonomy import classify_connection, classify_event, classify_response

SECONDS, TOOL_SECONDS = 2.0, 20.0


def answered(status: int, kind: str = "", message: str = "no", **headers: str) -> Fallback:
    """The verdict on an error of Anthropic's."""
    body = b'{"type":"error","error":{"type":"%s","message":"%s"}}' % (kind.encode(), message.encode())
    verdict = classify_response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    assert isinstance(verdict, Fallback)
    return verdict


def in_stream(kind: str) -> Fallback:
    verdict = classify_event({"type": "error", "error": {"type": kind, "message": "no"}})
    assert isinstance(verdict, Fallback)
    return verdict


def middle(low: float, high: float) -> float:
    """No jitter."""
    return (low + high) / 2


def patience(*, tool_loop: bool = False, rules: PatienceRules | None = None) -> Patience:
    return Patience(rules or PatienceRules(SECONDS, TOOL_SECONDS, middle), 0.0, lambda: tool_loop)


# what was met, whether it is a hiccup to be overlooked, whether a tool loop waits for its end
FAILURES: list[tuple[str, Fallback, bool, bool]] = [
    ("529", answered(529, "overloaded_error"), True, True),
    ("500", answered(500, "api_error"), True, True),
    ("502 of a proxy", classify_response(502, {}, b"<html>"), True, True),  # type: ignore[list-item]  # a fallback
    ("504", answered(504, "timeout_error"), True, True),
    ("408", answered(408, "timeout_error"), True, True),
    ("overloaded in the stream's first event", in_stream("overloaded_error"), True, True),
    ("a stream that is over before its reply", taxonomy.classify_ended_early(), True, True),
    ("reset", classify_connection("reset"), True, True),
    ("429 with a short retry-after", answered(429, "rate_limit_error", retry_after="1"), True, True),
    ("429 with one too long for words", answered(429, "rate_limit_error", retry_after="3"), False, True),
    ("429 with one too long for all", answered(429, "rate_limit_error", retry_after="60"), False, False),
    ("429 without", answered(429, "rate_limit_error"), False, True),
    ("429 in the stream's first event", in_stream("rate_limit_error"), False, True),
    ("529 with a long retry-after", answered(529, "overloaded_error", retry_after="30"), False, False),
    ("Anthropic says not to", answered(500, "api_error", x_should_retry="false"), False, True),
    ("refused", classify_connection("refused"), False, True),
    ("DNS", classify_connection("dns"), False, True),
    ("TLS", classify_connection("tls"), False, True),
    ("no network", classify_connection("unreachable"), False, True),
    ("no packet comes back", classify_connection("connect_timeout"), False, True),
    ("silent", Fallback("first_token", "silent"), False, True),
    ("a drill", Fallback("drill", "a drill"), False, True),
    ("401", answered(401, "authentication_error"), False, False),
    ("402", answered(402, "billing_error"), False, False),
    ("403", answered(403, "permission_error"), False, False),
    ("404 for a model", answered(404, "not_found_error", "model: claude-gone"), False, False),
    ("no credit", answered(400, "invalid_request_error", "Your credit balance is too low."), False, False),
    ("no key", Fallback("no_key", "none"), False, False),
    ("a portal's page", taxonomy.classify_not_json(200), False, False),
    ("not HTTP", classify_connection("not_http"), False, False),
]


@pytest.mark.parametrize(("why", "failure", "hiccup", "passes"), FAILURES, ids=[case[0] for case in FAILURES])
def test_what_is_worth_another_attempt(why: str, failure: Fallback, hiccup: bool, passes: bool) -> None:
    """What may be over at once is overlooked; what may pass by itself a tool loop waits for; the rest nobody."""
    assert patience().overlooks(failure, 0.1, on_trial=False) is hiccup
    assert not patience().goes_on(failure, 0.1)
    assert patience(tool_loop=True).overlooks(failure, 0.1, on_trial=False) is hiccup
    assert patience(tool_loop=True).goes_on(failure, 0.1) is passes


OVERLOADED = answered(529, "overloaded_error")


def attempts_of(request: Patience, failure: Fallback = OVERLOADED) -> list[float]:
    """When a request asks Claude whose every attempt fails at once, the breaker staying closed."""
    at = [0.0]
    while request.overlooks(failure, at[-1], on_trial=False) or request.goes_on(failure, at[-1]):
        at.append(round(request.next_at, 3))
    return at


def test_the_pauses_grow_and_end_in_time() -> None:
    """For words four attempts within two seconds; in a tool loop few more within twenty."""
    assert attempts_of(patience()) == [0.0, 0.2, 0.6, 1.4]
    assert attempts_of(patience(tool_loop=True)) == [0.0, 0.2, 0.6, 1.4, 3.0, 6.2, 10.2, 14.2, 18.2]


def test_the_number_of_attempts_is_bounded_whatever_the_settings_say() -> None:
    """And jitter does not change that."""
    for uniform in (min, max, middle):
        rules = PatienceRules(50, 50, uniform)
        assert len(attempts_of(patience(tool_loop=True, rules=rules))) <= 16


def test_retry_after_is_honoured() -> None:
    """No attempt before it, and none when it is not within the patience."""
    request = patience(rules=PatienceRules(SECONDS, TOOL_SECONDS, min))
    failure = answered(529, "overloaded_error", retry_after="1.5")
    assert request.overlooks(failure, 0.0, on_trial=False)
    assert request.next_at == 1.5
    assert not request.overlooks(failure, 1.5, on_trial=False)


def test_a_dead_connection_costs_no_time_and_no_patience() -> None:
    """Once in a request, also on trial and when there is no patience at all; a second one is a failure."""
    request = patience(rules=PatienceRules(0, 0, middle))
    dead = classify_connection("dead")
    assert request.overlooks(dead, 5.0, on_trial=True)
    assert request.next_at == 5.0
    assert not request.overlooks(dead, 5.0, on_trial=True)


def test_a_trial_is_no_hiccup() -> None:
    """Claude has just been unwell: the first failure is counted, and only a tool loop waits on."""
    for tool_loop in (False, True):
        request = patience(tool_loop=tool_loop)
        assert not request.overlooks(OVERLOADED, 0.1, on_trial=True)
        assert request.goes_on(OVERLOADED, 0.1) is tool_loop


def test_many_failures_at_once_are_no_hiccup() -> None:
    """Beyond sixteen a failure is counted at once, which ends the repeats of all; places come back."""
    rules = PatienceRules(SECONDS, TOOL_SECONDS, middle)
    requests = [patience(rules=rules) for _ in range(17)]
    assert [request.overlooks(OVERLOADED, 0.0, on_trial=False) for request in requests] == [True] * 16 + [False]
    with requests[0]:
        pass
    assert requests[16].overlooks(OVERLOADED, 0.0, on_trial=False)
    assert not requests[1].overlooks(OVERLOADED, 2.0, on_trial=False)  # its time is over
    assert patience(rules=rules).overlooks(OVERLOADED, 0.0, on_trial=False)


WAITS: list[tuple[str, Fallback, float | None, float, bool]] = [
    # why it exists, the breaker's cause, until when if that is known, now, whether a tool loop waits
    ("nobody knows how long", OVERLOADED, None, 0.0, True),
    ("still", OVERLOADED, None, 19.9, True),
    ("too long", OVERLOADED, None, 20.0, False),
    ("a limit that ends in time", answered(429, "rate_limit_error", retry_after="9"), 9.0, 0.0, True),
    ("a limit that does not", answered(429, "rate_limit_error", retry_after="60"), 60.0, 0.0, False),
    ("a drill that ends in time", Fallback("drill", "a drill"), 8.0, 0.0, True),
    ("a key that somebody must replace", answered(401, "authentication_error"), None, 0.0, False),
    ("no key", Fallback("no_key", "none"), None, 0.0, False),
]


@pytest.mark.parametrize(("why", "cause", "until", "now", "waits"), WAITS, ids=[case[0] for case in WAITS])
def test_an_open_breaker(why: str, cause: Fallback, until: float | None, now: float, waits: bool) -> None:
    """Nobody waits for words; a tool loop does, for what may pass in time."""
    assert not patience().waits_out(cause, until, now)
    assert patience(tool_loop=True).waits_out(cause, until, now) is waits


def test_a_request_looks_often_while_it_waits() -> None:
    """A long pause is cut, so that what the breaker has learned meanwhile ends it."""
    request = patience(tool_loop=True, rules=PatienceRules(SECONDS, TOOL_SECONDS, lambda *_: 1.0))
    request.goes_on(replace(OVERLOADED, retry_after_seconds=9.0), 0.0)
    assert [request.pause_seconds(now) for now in (0.0, 8.9, 9.0)] == [0.25, pytest.approx(0.1), 0.25]


BODIES: list[tuple[str, str, bool]] = [
    ("a tool's result in Chat Completions", '{"role":"tool","tool_call_id":"toolu_1","content":"x"}', True),
    ("in Messages", '{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1"}]}', True),
    (
        "with a reminder beside it, as Claude Code has them",
        '{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1"},{"type":"text","text":"x"}]}',
        True,
    ),
    (
        "with a system message behind it",
        '{"role":"tool","tool_call_id":"a","content":"x"},{"role":"system","content":"x"}',
        True,
    ),
    ("words", '{"role":"user","content":"a \\"tool\\" and a \\"tool_result\\""}', False),
    (
        "words after a result",
        '{"role":"tool","tool_call_id":"a","content":"x"},{"role":"user","content":"Thanks"}',
        False,
    ),
    ("a call of the local model's", f'{{"role":"tool","tool_call_id":"call_{"0a" * 16}_0","content":"x"}}', False),
    (
        "the same in Messages",
        f'{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"toolu_{"0a" * 16}_0"}}]}}',
        False,
    ),
    ("no message", '"tool"', False),
]


@pytest.mark.parametrize(("why", "messages", "is_one"), BODIES, ids=[case[0] for case in BODIES])
def test_a_step_of_a_tool_loop(why: str, messages: str, is_one: bool) -> None:
    """Known by its last message, in either dialect."""
    assert ends_in_tool_result(f'{{"messages":[{messages}],"tools":[{{"a":"tool"}}]}}'.encode()) is is_one


@pytest.mark.parametrize("body", [b"", b'"tool"', b'{"tool', b'{"messages":{"a":"tool"}}', b'[{"a":"tool"}]'])
def test_an_odd_body_is_no_tool_loop(body: bytes) -> None:
    """Whatever it is, somebody else says so."""
    assert not ends_in_tool_result(body)
