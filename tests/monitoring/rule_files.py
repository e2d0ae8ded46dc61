"""The alerting and recording rules, read from their files."""

from typing import Any

import yaml

from stack import REPOSITORY

FOLDER = REPOSITORY / "prometheus" / "rules"
RULES: list[dict[str, Any]] = [
    rule
    for path in sorted(FOLDER.glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDINGS = [rule for rule in RULES if "record" in rule]
