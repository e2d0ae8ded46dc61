"""What Prometheus sees. One registry per app, so that two apps in one process do not meet."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from claude_adapter.availability.breaker import View
from claude_adapter.availability.reasons import REASONS

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody reads

_STATES = ("closed", "open", "half_open")


class Metrics:
    """The adapter's metrics; the names are fixed, dashboards and alerts use them."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._state = Gauge(
            "pilotlight_breaker_state", "1 for the state the breaker is in.", ["state"], registry=registry
        )
        self._open = Gauge(
            "pilotlight_breaker_open", "1 for the reason the breaker is not closed.", ["reason"], registry=registry
        )
        self.opens = Counter("pilotlight_breaker_opens", "Openings of the breaker.", ["reason"], registry=registry)
        self.probes = Counter("pilotlight_probes", "Probes of Claude, by result.", ["result"], registry=registry)
        self.requests = Counter(
            "pilotlight_claude_requests", "Requests meant for Claude, by outcome.", ["outcome"], registry=registry
        )
        self.retries = Counter(
            "pilotlight_claude_retries", "Requests that were sent to Claude again.", ["reason"], registry=registry
        )
        self.input_tokens = Counter("pilotlight_claude_input_tokens", "Tokens Claude read.", registry=registry)
        self.output_tokens = Counter("pilotlight_claude_output_tokens", "Tokens Claude wrote.", registry=registry)
        for reason in REASONS:
            self.opens.labels(reason)
        for outcome in ("ok", "client_error", "client_gone", *REASONS):
            self.requests.labels(outcome)
        for result in ("ok", "unproven"):
            self.probes.labels(result)
        for reason in ("connect", "overloaded", "rate_limit", "server_error", "timeout"):
            self.retries.labels(reason)

    def render(self, view: View) -> bytes:
        """The exposition text, with the breaker as `view` shows it now."""
        for state in _STATES:
            self._state.labels(state).set(state == view.state)
        for reason in REASONS:
            self._open.labels(reason).set(view.cause is not None and view.cause.reason == reason)
        return generate_latest(self.registry)
