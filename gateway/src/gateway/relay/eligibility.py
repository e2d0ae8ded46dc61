"""Who may answer a request: anybody who can, Claude or nobody, or the local model because it was asked for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.dialects.interface import Request
from gateway.side_tasks import SideTask, SideTasks

Answerer = Literal["anyone", "claude", "local"]
AskedBy = Literal["path", "header"]

FALLBACK_SWITCH = b"x-pilot-fallback"
_UNNAMED = "any"  # the task of a request that the client itself keeps for Claude


@dataclass(frozen=True)
class SideTaskRule:
    """`policy`: who answers recognised side tasks, Claude alone or anybody."""

    table: SideTasks
    policy: Literal["claude", "any"]

    @property
    def labels(self) -> list[tuple[str, str]]:
        """Every client and task that a refusal can be counted by."""
        return [*self.table.names, ("path", _UNNAMED), ("header", _UNNAMED)]


@dataclass(frozen=True)
class Eligibility:
    """`task`: the side task that was recognised; `asked_by`: how the client keeps it for Claude, if it does."""

    answerer: Answerer
    task: SideTask | None = None
    asked_by: AskedBy | None = None

    @property
    def labels(self) -> tuple[str, str]:
        """Client and task, for a refusal."""
        return (self.task.client, self.task.task) if self.task else (self.asked_by or "", _UNNAMED)


def eligibility(
    request: Request,
    headers: Mapping[bytes, bytes],
    rule: SideTaskRule | None,
    *,
    under_claude: bool,
    by_name: bool,
    reason: str | None,
) -> Eligibility:
    """Who may answer.

    `rule`: None where no side task is looked for; `under_claude`: asked under the path for Claude alone; `by_name`: the
    local model's; `reason`: why Claude cannot be asked. Without any key nothing better will come, and side tasks are
    answered.
    """
    asked_by: AskedBy | None = "path" if under_claude else None
    if asked_by is None and headers.get(FALLBACK_SWITCH, b"").strip().lower() == b"off":
        asked_by = "header"
    if by_name:
        return Eligibility("claude", None, asked_by) if asked_by else Eligibility("local")
    task = rule.table.recognise(request, headers) if rule else None
    if asked_by or (task and rule and rule.policy == "claude" and reason != "no_key"):
        return Eligibility("claude", task, asked_by)
    return Eligibility("anyone", task)
