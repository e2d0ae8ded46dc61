"""The reasons are one closed list: claude-adapter has it, and all that names a reason is held to it."""

import re

import pytest
from prometheus_client import CollectorRegistry

from claude_adapter.metrics import Metrics as ClaudeAdapterMetrics
from docs.pages import read, table
from gateway.metrics import Metrics as GatewayMetrics
from monitoring.rule_files import RULES


def label_values(registry: CollectorRegistry, metric: str, label: str = "reason") -> set[str]:
    """The values that a metric's label has from the start."""
    return {
        sample.labels[label]
        for series in registry.collect()
        if series.name == metric
        for sample in series.samples
        if label in sample.labels
    }


REASONS = label_values(ClaudeAdapterMetrics().registry, "pilotlight_breaker_opens")


def names(text: str) -> set[str]:
    """The words in backticks that could be reasons."""
    return set(re.findall(r"`([a-z_]+)`", text))


def test_there_are_reasons() -> None:
    """The list as the design has it, so that an empty one does not pass the other tests."""
    assert {"no_key", "overloaded", "adapter_down", "drill"} < REASONS


@pytest.mark.parametrize("metric", ["pilotlight_fallbacks", "pilotlight_rescues", "pilotlight_fallback_reason"])
def test_the_gateways_metrics_know_every_reason(metric: str) -> None:
    """Each has its series from the start: a rate sees no first event in a series that is born with it."""
    assert label_values(GatewayMetrics().registry, metric) == REASONS


def test_the_outcomes_of_requests_meant_for_claude_are_the_reasons_and_three_more() -> None:
    """Why Claude did not answer is the outcome of such a request."""
    outcomes = label_values(ClaudeAdapterMetrics().registry, "pilotlight_claude_requests", "outcome")
    assert outcomes == REASONS | {"ok", "client_error", "client_gone"}


def test_the_readme_names_them_all() -> None:
    """In one sentence, and nothing else there looks like one."""
    sentence = re.search(r"^The reasons: (.*?\.)$", read("README.md"), re.MULTILINE | re.DOTALL)
    assert sentence
    assert names(sentence[1]) == REASONS


def test_never_dark_says_of_each_how_claude_comes_back() -> None:
    """The second column of its first table."""
    rows = table(read("docs/never-dark.md"), "what fails")
    assert {reason for row in rows for reason in names(row[1])} == REASONS


def test_the_runbook_says_of_each_what_it_takes() -> None:
    """One row each, or one shared by some."""
    named = [reason for row in table(read("docs/runbook.md"), "reason") for reason in names(row[0])]
    assert sorted(named) == sorted(REASONS)


def test_alerts_ask_for_reasons_that_there_are() -> None:
    """A reason that is misspelled in a rule would never fire."""
    for rule in RULES:
        for pattern in re.findall(r'reason=~?"([^"]*)"', rule["expr"]):
            assert set(pattern.split("|")) <= REASONS, rule


def test_every_reason_has_an_alert() -> None:
    """One that names it, or the one for every degraded hour."""
    named = {
        reason
        for rule in RULES
        for pattern in re.findall(r'reason=~?"([^"]*)"', rule["expr"])
        for reason in pattern.split("|")
    }
    # These end by themselves or are another alert's: PilotLightServingFromFallback alone has them.
    assert REASONS - named == {"rate_limit", "model_not_found", "adapter_down"}


def test_the_dashboard_asks_for_reasons_that_there_are() -> None:
    """In its queries; its own words for no reason do not count."""
    dashboard = read("grafana/dashboards/pilot-light.json")
    for pattern in re.findall(r'reason=~?\\"([a-z_|]+)\\"', dashboard):
        assert set(pattern.split("|")) <= REASONS
