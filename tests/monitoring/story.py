"""What is done to the stack while Prometheus looks on."""

import signal
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from chat_stream import stream
from fake_anthropic.process import FakeAnthropic
from monitoring.prometheus_server import Prometheus
from stack import KEY, Stack, wait_for


@dataclass
class Story:
    """What happened: Prometheus with the data, when it began, and the annotations of each alert that fired."""

    prometheus: Prometheus
    began: float
    fired: dict[str, dict[str, str]] = field(default_factory=dict)
    resolved: list[str] = field(default_factory=list)
    ended: float = 0.0


def tell(story: Story, stack: Stack, anthropic: FakeAnthropic, key_file: Path) -> None:
    """No key; a key; a rejected key; an outage and failback; a drill; a hung local model; an empty account."""

    def fires(alert: str) -> None:
        story.fired[alert] = story.prometheus.wait_until_firing(alert)

    def resolves(alert: str) -> None:
        story.prometheus.wait_until_resolved(alert)
        story.resolved.append(alert)

    def ask_both_ways() -> None:
        for round_ in range(2):  # a series that begins at 1 shows no increase: only the second one does
            stack.ask(f"Unary, {round_}.")
            stream(stack.client, question=f"Streamed, {round_}.")
            stack.client.post("/v1/chat/completions", json={"messages": "not a list"})
            stack.client.post("/claude/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hi."}]})
            story.prometheus.wait_for_scrape()

    fires("PilotLightNoKey")
    ask_both_ways()

    key_file.write_text(KEY)
    stack.wait_for_backend("claude")
    resolves("PilotLightNoKey")
    ask_both_ways()

    anthropic.script(status=401)
    ask_both_ways()
    fires("PilotLightKeyRejected")
    fires("PilotLightServingFromFallback")
    anthropic.reset()
    stack.wait_for_backend("claude")
    resolves("PilotLightServingFromFallback")
    resolves("PilotLightKeyRejected")

    anthropic.script(refuse=True)
    ask_both_ways()
    fires("PilotLightServingFromFallback")
    anthropic.reset()
    stack.wait_for_backend("claude")
    resolves("PilotLightServingFromFallback")

    with httpx.Client(transport=httpx.HTTPTransport(uds=str(stack.run_dir / "claude.sock"))) as adapter:
        adapter.post("http://claude-adapter/drill", json={"seconds": 600}).raise_for_status()
        fires("PilotLightServingFromFallback")
        fires("PilotLightFlapping")
        adapter.post("http://claude-adapter/drill", json={"seconds": 0}).raise_for_status()
    stack.wait_for_backend("claude")
    resolves("PilotLightServingFromFallback")

    local = stack.room("local-llm")
    local.send_signal(signal.SIGSTOP)
    try:
        fires("PilotLightLocalModelNotReady")
        fires("PilotLightServiceDown")
    finally:
        local.send_signal(signal.SIGCONT)
    resolves("PilotLightLocalModelNotReady")
    resolves("PilotLightServiceDown")

    anthropic.script(error_type="billing_error", status=402)
    ask_both_ways()
    fires("PilotLightCreditExhausted")
    local.send_signal(signal.SIGSTOP)
    try:
        fires("PilotLightNobodyCanAnswer")
    finally:
        local.send_signal(signal.SIGCONT)
    anthropic.reset()
    resolves("PilotLightNobodyCanAnswer")
    # Only a real request proves that there is credit again; the breaker lets one through from time to time.
    wait_for("Claude answers again", lambda: stack.ask("Are you back?").headers["X-Served-By"] == "claude", 70)
    resolves("PilotLightCreditExhausted")
