"""The README's tables are held to the code: every setting and every metric, no more and no less."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from claude_adapter.metrics import Metrics as ClaudeAdapterMetrics
from claude_adapter.settings import Settings as ClaudeAdapterSettings
from gateway.metrics import Metrics as GatewayMetrics
from gateway.settings import Settings as GatewaySettings
from local_llm.metrics import Metrics as LocalLlmMetrics
from local_llm.settings import Settings as LocalLlmSettings

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()


def rows(first_header: str) -> list[list[str]]:
    """The cells of the README's table whose first column has this header."""
    table = re.search(rf"^\| {first_header} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert table, f"no table headed '{first_header}'"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]


def settings_of_the_code() -> set[str]:
    fields = {
        name.upper()
        for room in (GatewaySettings, ClaudeAdapterSettings, LocalLlmSettings)
        for name in room.model_fields
    }
    of_nginx = re.findall(r"\$\{(PILOT_[A-Z_]+):-", (REPOSITORY / "nginx" / "start.sh").read_text())
    return fields | set(of_nginx) - {"PILOT_LISTEN"}  # the container's own affair


def test_every_setting_is_documented() -> None:
    """The settings table names what the rooms read."""
    assert {row[0].strip("`") for row in rows("variable")} == settings_of_the_code()


def test_every_setting_is_in_the_example() -> None:
    """.env.example names them too."""
    example = (REPOSITORY / ".env.example").read_text()
    assert set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)) == settings_of_the_code()


def test_every_metric_is_documented() -> None:
    """The metrics table has each room's series with their labels."""
    registries: dict[str, CollectorRegistry] = {
        "gateway": GatewayMetrics().registry,
        "claude-adapter": ClaudeAdapterMetrics().registry,
        "local-llm": LocalLlmMetrics(lambda: 0).registry,
    }
    of_the_code = {
        (series.name + ("_total" if series.type == "counter" else ""), tuple(collector._labelnames), room)
        for room, registry in registries.items()
        for collector in registry._collector_to_names
        if isinstance(collector, MetricWrapperBase)  # ours, and not the process collector's
        for series in collector.describe()
    }
    nginx = (REPOSITORY / "nginx" / "nginx.conf").read_text()
    for name in re.findall(r"^# TYPE (\w+)", nginx, re.MULTILINE):
        labels = re.search(rf"^{name}{{(\w+)=", nginx, re.MULTILINE)
        of_the_code.add((name, tuple(labels.groups()) if labels else (), "nginx"))
    documented = {
        (name.strip("`"), tuple(re.findall(r"`(\w+)`", labels)), room) for name, labels, room, _ in rows("metric")
    }
    assert documented == of_the_code
