"""The rules and the dashboard on the real stack's own metrics, scraped by a real Prometheus during real outages."""

import math

import pytest

from monitoring.dashboard import Query, queries
from monitoring.rule_files import RECORDINGS
from monitoring.story import Story

pytestmark = pytest.mark.timeout(400)  # the first test to run waits for the whole story

ROOMS = {"nginx", "gateway", "claude-adapter", "local-llm"}
# Not brought about here: they take minutes of the real thing. tests/monitoring/rules plays them.
NOT_TOLD = {"PilotLightBreakerStuckOpen", "PilotLightSlowFallback", "PilotLightEdgeDown"}


def has_data(series: list[dict[str, object]]) -> bool:
    """At least one number."""
    values = [value for each in series for value in each.get("values", [each.get("value")])]  # type: ignore[attr-defined]  # JSON
    return any(not math.isnan(float(value[1])) for value in values)


def test_every_room_is_scraped(story: Story) -> None:
    """All of them, and Prometheus itself, under their own names."""
    up = {s["metric"]["job"]: s["value"][1] for s in story.prometheus.query("up")}
    assert up == dict.fromkeys({*ROOMS, "prometheus"}, "1")


def test_alerts_fire_and_resolve(story: Story) -> None:
    """Each that an outage can bring about fired, and resolved when it was over; flapping takes a quarter of an hour."""
    print("fired and resolved:", ", ".join(story.resolved))
    assert set(story.fired) - set(story.resolved) == {"PilotLightFlapping"}
    assert len(set(story.fired)) == 8


def test_annotations_read_well(story: Story) -> None:
    """Every template is filled in, without an error."""
    for annotations in story.fired.values():
        for text in annotations.values():
            assert "{{" not in text
            assert "error" not in text.lower()
            assert "no value" not in text
    assert "(drill)" in story.fired["PilotLightServingFromFallback"]["summary"]
    assert "(auth)" in story.fired["PilotLightKeyRejected"]["summary"]
    assert "local-llm" in story.fired["PilotLightServiceDown"]["summary"]


def test_no_rule_fails(story: Story) -> None:
    """Prometheus evaluates every rule without an error or a warning of many-to-many matches."""
    for group in story.prometheus.get("rules")["groups"]:
        for rule in group["rules"]:
            assert rule["health"] == "ok", rule


@pytest.mark.parametrize("name", [rule["record"] for rule in RECORDINGS])
def test_every_recording_rule_has_data(story: Story, name: str) -> None:
    """Something was recorded during the story."""
    assert has_data(story.prometheus.query_range(name, story.began, story.ended))


@pytest.mark.parametrize("query", queries(), ids=lambda query: f"{query.panel}: {query.expr[:40]}")
def test_every_query_of_the_dashboard_has_data(story: Story, query: Query) -> None:
    """After the story no panel is empty, and what stands in for a quiet day is not what filled it."""
    if query.instant:
        assert has_data(story.prometheus.query(query.expr))
    assert has_data(story.prometheus.query_range(query.loud, story.began, story.ended))
