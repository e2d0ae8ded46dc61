"""Fields of a client's request: a value of another kind counts as not given, where nothing depends on it."""

import math
from collections.abc import Mapping
from typing import Any

from claude_adapter.errors import BadRequestError

Json = dict[str, Any]

_MOST = 2**53


def number(request: Mapping[str, Any], name: str) -> float | None:
    """A number, or None."""
    value = request.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def whole_number(value: object) -> int | None:
    """A whole number, as JSON's 24.0 is one, or None; a huge one is cut to what JSON can carry."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(-_MOST, min(_MOST, int(value))) if value == int(value) else None


def object_in(request: Mapping[str, Any], name: str) -> Json:
    """An object, or an empty one."""
    value = request.get(name)
    return value if isinstance(value, dict) else {}


def typed(request: Mapping[str, Any], name: str, kind: type, what: str) -> Any:
    """A value of this kind, or None when it is absent or null; `what` names the kind to the reader."""
    value = request.get(name)
    if value is not None and not isinstance(value, kind):
        raise BadRequestError(f"{name} must be {what}.", name)
    return value
