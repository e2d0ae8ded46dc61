"""Claude fails in every way; somebody always answers, says so, and Claude comes back by itself."""

import threading
import time
from typing import Any

import pytest

from chat_stream import stream
from fake_anthropic.process import FakeAnthropic
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import Stack

FAILBACK_SECONDS = 5.0

# What was done to Claude, how, and the reasons that may be given: of a silent one the next probe says `timeout`.
FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("refused", {"refuse": True}, "connect"),
    ("silent", {"accept_but_silent": True}, "first_token timeout"),
    ("401", {"status": 401}, "auth"),
    ("403", {"status": 403}, "permission"),
    ("429", {"status": 429, "headers": {"retry-after": "1"}}, "rate_limit"),
    ("500", {"status": 500}, "server_error"),
    ("503 as HTML", {"status": 503, "body": "<html>down</html>", "content_type": "text/html"}, "server_error"),
    ("529", {"status": 529}, "overloaded"),
    ("a captive portal", {"status": 200, "body": "<html>log in</html>", "content_type": "text/html"}, "protocol"),
    ("an error before content", {"error_type": "overloaded_error", "error_after_events": 0}, "overloaded"),
    ("garbage", {"garbage": True}, "protocol"),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(("fault", "script", "reasons"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_falls_back_and_claude_returns(
    keyed: Stack, anthropic: FakeAnthropic, fault: str, script: dict[str, Any], reasons: str, streamed: bool
) -> None:
    """The first and the second request of an outage are answered, with the reason; Claude is back within 5 s."""
    anthropic.script(**script)
    for which in ("first", "second"):
        question = f"Say hello. ({fault}, {which}, {streamed})"
        if streamed:
            answer = stream(keyed.client, question=question)
            headers, text, status = answer.headers, answer.text, answer.status
            assert answer.done == 1
        else:
            response = keyed.ask(question)
            headers, status = response.headers, response.status_code
            text = response.json()["choices"][0]["message"]["content"]
        assert status == 200
        assert headers["X-Served-By"] == "local"
        assert headers["X-Fallback-Reason"] in reasons.split()
        assert text.startswith(NOTICE)
        assert len(text) > len(NOTICE) + 2
    anthropic.reset()
    recovered = time.monotonic()
    while keyed.ask("Are you back?", max_tokens=1).headers["X-Served-By"] != "claude":
        assert time.monotonic() - recovered < FAILBACK_SECONDS
        time.sleep(0.25)


def test_an_outage_loses_nothing(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """Asking twice a second throughout: local within a second of the stop, Claude within 5 s of the start."""
    answers: list[tuple[float, int, str]] = []
    stop = threading.Event()

    def ask_throughout() -> None:
        while not stop.is_set():
            asked = time.monotonic()
            response = keyed.ask("Still there?", max_tokens=8)
            answers.append((asked, response.status_code, response.headers["X-Served-By"]))
            stop.wait(max(0.0, 0.5 - (time.monotonic() - asked)))

    def answered(after: float, by: str) -> float:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for asked, _, backend in answers:
                if asked >= after and backend == by:
                    return asked - after
            time.sleep(0.05)
        raise AssertionError(f"{by} did not answer; {answers}")

    asker = threading.Thread(target=ask_throughout)
    asker.start()
    try:
        answered(time.monotonic(), "claude")
        anthropic.script(refuse=True)
        stopped = time.monotonic()
        assert answered(stopped, "local") < 1.0
        anthropic.reset()
        assert answered(time.monotonic(), "claude") < FAILBACK_SECONDS
    finally:
        stop.set()
        asker.join()
    assert {status for _, status, _ in answers} == {200}


def test_the_notice_marks_each_change(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """Claude without it, the first local answer with it, the next without, and again after Claude was back."""
    question = "A conversation through two outages."

    def notice_said() -> bool:
        text: str = keyed.ask(question).json()["choices"][0]["message"]["content"]
        return text.startswith(NOTICE)

    assert not notice_said()
    for _ in range(2):
        anthropic.script(refuse=True)
        assert [notice_said(), notice_said()] == [True, False]
        anthropic.reset()
        keyed.wait_for_backend("claude", FAILBACK_SECONDS)
        assert not notice_said()


def test_the_metrics_tell_the_story(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """An outage shows in the active backend, the fallbacks, the transitions, the breaker and the local tokens."""
    assert 'pilotlight_active_backend{backend="claude"} 1.0' in keyed.metrics("gateway")
    anthropic.script(status=500)
    keyed.ask("An outage for the metrics.")
    keyed.wait_for_backend("local", 3)
    gateway = keyed.metrics("gateway")
    assert 'pilotlight_active_backend{backend="local"} 1.0' in gateway
    assert 'pilotlight_active_backend{backend="claude"} 0.0' in gateway
    assert value(gateway, 'pilotlight_fallbacks_total{reason="server_error"}') >= 1
    assert value(gateway, 'pilotlight_transitions_total{from_backend="claude",to_backend="local"}') >= 1
    assert value(gateway, 'pilotlight_requests_total{backend="local",dialect="openai",outcome="ok"}') >= 1
    assert value(gateway, 'pilotlight_time_to_first_byte_seconds_count{backend="local"}') >= 1
    adapter = keyed.metrics("claude-adapter")
    assert value(adapter, 'pilotlight_breaker_open{reason="server_error"}') == 1
    assert value(adapter, 'pilotlight_breaker_state{state="open"}') == 1
    local = keyed.metrics("local-llm")
    assert value(local, "pilotlight_local_generated_tokens_total") > 0
    assert value(local, "pilotlight_local_prompt_tokens_total") > 0
    assert value(local, "pilotlight_local_queue_depth") == 0
    assert value(keyed.metrics("nginx"), 'pilotlight_nginx_connections{state="active"}') >= 1
    anthropic.reset()
    keyed.wait_for_backend("claude", FAILBACK_SECONDS)
    after = keyed.metrics("gateway")
    assert value(after, "pilotlight_fallback_seconds_total") > 0
    assert value(after, 'pilotlight_transitions_total{from_backend="local",to_backend="claude"}') >= 1


def value(metrics: str, series: str) -> float:
    """The value of one series in Prometheus text."""
    for line in metrics.splitlines():
        if line.startswith(f"{series} "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no {series} in:\n{metrics}")
