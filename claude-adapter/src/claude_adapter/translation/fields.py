"""Fields of a client's request, read with a clear refusal when they are of the wrong kind."""

from collections.abc import Mapping
from typing import Any

from claude_adapter.errors import BadRequestError

Json = dict[str, Any]


def number(request: Mapping[str, Any], name: str) -> float | None:
    """A number, or None when it is absent or null."""
    value = request.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise BadRequestError(f"{name} must be a number.", name)
    return value


def typed(request: Mapping[str, Any], name: str, kind: type, what: str) -> Any:
    """A value of this kind, or None when it is absent or null; `what` names the kind to the reader."""
    value = request.get(name)
    if value is not None and not isinstance(value, kind):
        raise BadRequestError(f"{name} must be {what}.", name)
    return value
