"""What the dashboard asks of Prometheus."""

import json
import re
from typing import Any, NamedTuple

from stack import REPOSITORY

PATH = REPOSITORY / "grafana" / "dashboards" / "pilot-light.json"
DASHBOARD: dict[str, Any] = json.loads(PATH.read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]

# What Grafana puts in for a dashboard that shows the last minutes.
_INTERVALS = {"$__rate_interval": "20s", "$__range": "10m", "$__interval": "15s"}
# So that a quiet panel says 0 or nothing rather than "No data".
_WHEN_QUIET = re.compile(r" or (vector\(0\)|label_replace\(vector\(0\)[^()]*\))$")


class Query(NamedTuple):
    """One query. `expr` is without Grafana's variables; `loud` also without what stands in on a quiet day."""

    panel: str
    expr: str
    instant: bool

    @property
    def loud(self) -> str:
        return _WHEN_QUIET.sub("", self.expr)


def queries() -> list[Query]:
    """All queries of the panels and annotations."""
    found = [
        Query(panel["title"], _filled_in(target["expr"]), target["instant"])
        for panel in PANELS
        for target in panel.get("targets", [])
    ]
    annotations = DASHBOARD["annotations"]["list"]
    return found + [Query(each["name"], _filled_in(each["expr"]), False) for each in annotations]


def _filled_in(expr: str) -> str:
    for name, value in _INTERVALS.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, f"a variable that the tests do not know: {expr}"
    return expr
