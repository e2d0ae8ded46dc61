"""docs/metrics.md is held to the code: every series with its labels, no more and no less."""

import re

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from claude_adapter.metrics import Metrics as ClaudeAdapterMetrics
from docs.pages import read, table
from gateway.metrics import Metrics as GatewayMetrics
from local_llm.metrics import Metrics as LocalLlmMetrics


def test_every_metric_is_documented() -> None:
    """The table has each service's series with their labels."""
    registries: dict[str, CollectorRegistry] = {
        "gateway": GatewayMetrics().registry,
        "claude-adapter": ClaudeAdapterMetrics().registry,
        "local-llm": LocalLlmMetrics(lambda: 0).registry,
    }
    of_the_code = {
        (series.name + ("_total" if series.type == "counter" else ""), tuple(collector._labelnames), service)
        for service, registry in registries.items()
        for collector in registry._collector_to_names
        if isinstance(collector, MetricWrapperBase)  # ours, and not the process collector's
        for series in collector.describe()
    }
    nginx = read("nginx/nginx.conf")
    for name in re.findall(r"^# TYPE (\w+)", nginx, re.MULTILINE):
        labels = re.search(rf"^{name}{{(\w+)=", nginx, re.MULTILINE)
        of_the_code.add((name, tuple(labels.groups()) if labels else (), "nginx"))
    documented = {
        (name.strip("`"), tuple(re.findall(r"`(\w+)`", labels)), service)
        for name, labels, service, _ in table(read("docs/metrics.md"), "metric")
    }
    assert documented == of_the_code
