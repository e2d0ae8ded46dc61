"""Claude goes and comes back: nothing is lost, people are told once, and the metrics tell it too."""

import threading
import time

from fake_anthropic.process import FakeAnthropic
from gateway.settings import DEFAULT_MARK as MARK
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import Stack

FAILBACK_SECONDS = 15.0  # patience; the figure is the bench's


def test_an_outage_loses_nothing(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """Asking twice a second throughout: the local model after the stop, Claude again after the start."""
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
        assert answered(stopped, "local") < FAILBACK_SECONDS
        anthropic.reset()
        assert answered(time.monotonic(), "claude") < FAILBACK_SECONDS
    finally:
        stop.set()
        asker.join()
    assert {status for _, status, _ in answers} == {200}


def test_the_notice_marks_each_change(keyed: Stack, anthropic: FakeAnthropic) -> None:
    """Claude without it, the first local answer with it, the next with the mark, and again after Claude was back."""
    history: list[dict[str, str]] = []

    def addition() -> str | None:
        history.append({"role": "user", "content": "A conversation through two outages."})
        text: str = keyed.ask(messages=history, max_tokens=8).json()["choices"][0]["message"]["content"]
        history.append({"role": "assistant", "content": text})
        return "notice" if text.startswith(NOTICE) else "mark" if text.endswith(f" {MARK}") else None

    assert addition() is None
    for _ in range(2):
        anthropic.script(refuse=True)
        assert [addition(), addition(), addition()] == ["notice", "mark", "mark"]
        anthropic.reset()
        keyed.wait_for_backend("claude", FAILBACK_SECONDS)
        assert addition() is None
    sent = [message["content"] for message in anthropic.requests()[-1]["body"]["messages"]]
    assert NOTICE not in str(sent)
    assert MARK not in str(sent)


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
