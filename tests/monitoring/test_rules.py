"""Prometheus accepts the configuration and the rules; each alert fires, stays quiet and resolves when it should."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from monitoring.dashboard import queries
from monitoring.prometheus_server import CONFIGURATION, needed
from monitoring.rule_files import ALERTS, RECORDINGS, RULES
from stack import REPOSITORY

RULE_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))
RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text()
METRICS = (REPOSITORY / "docs" / "metrics.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))


def promtool(*arguments: str | Path) -> None:
    """Runs it; its words are the failure's."""
    run = subprocess.run([needed("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_prometheus_accepts_the_configuration() -> None:
    """The configuration and all rules, with promtool's lint as errors."""
    promtool("check", "config", "--lint-fatal", CONFIGURATION / "prometheus.yml")


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_the_rules_behave(path: Path) -> None:
    """promtool plays series made for the purpose, and compares."""
    promtool("test", "rules", path)


def snake(alert: str) -> str:
    """PilotLightNoKey → no_key."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", alert.removeprefix("PilotLight")).lower()


def test_every_rule_has_such_a_test() -> None:
    """A file for each alert, which sees it fire and not fire; one for the recording rules."""
    assert {path.stem for path in RULE_TESTS} == {snake(rule["alert"]) for rule in ALERTS} | {"recording"}
    for rule in ALERTS:
        text = (Path(__file__).parent / "rules" / f"{snake(rule['alert'])}.yml").read_text()
        assert f'ALERTS{{alertname="{rule["alert"]}", alertstate="firing"' in text
    recording = (Path(__file__).parent / "rules" / "recording.yml").read_text()
    for rule in RECORDINGS:
        assert f"expr: {rule['record']}\n" in recording


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """A severity, a summary, what to do, and a section in the runbook that has more than a heading."""
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"].endswith(".")
    assert "What to do" in rule["annotations"]["description"]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
    section = SECTIONS[rule["alert"]]
    for part in ("**Means**", "**Look at**", "**Do**"):
        assert part in section


def test_the_runbook_has_no_section_too_many() -> None:
    """Every section that is named like an alert is one, and every recording rule has its line."""
    assert {name for name in SECTIONS if name.startswith("PilotLight")} == {rule["alert"] for rule in ALERTS}
    assert set(re.findall(r"^\| `([\w:]+:[\w:]+)` \|", RUNBOOK, re.MULTILINE)) == {r["record"] for r in RECORDINGS}


def test_only_documented_metrics_are_used() -> None:
    """What rules and dashboard ask for is in the table of docs/metrics.md, or is a recording rule."""
    documented = set(re.findall(r"^\| `(pilotlight_\w+)` \|", METRICS, re.MULTILINE))
    histograms = {
        name + end for name in documented if name.endswith(("_seconds", "_per_second")) for end in ("_bucket",)
    }
    recorded = {rule["record"] for rule in RECORDINGS}
    for expr in [rule["expr"] for rule in RULES] + [query.expr for query in queries()]:
        used = set(re.findall(r"[\w:]*pilotlight_[\w:]+", expr))
        assert used <= documented | histograms | recorded, expr
        others = set(re.findall(r"(?<![\w:])([a-z_]+)(?=[{\[])", expr)) - used
        assert others <= {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}, expr
