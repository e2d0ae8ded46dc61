"""Single values in JSON schemas: pointers, counts, numbers, and how simple they are. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]

EXACT_LIMIT = 2**53
_DIVISOR_LIMIT = 1000  # in its last decimal place: 99,991 takes 1.8 s and 32 MB
_VALUE_LIMIT_DEPTH = 20


def pointed_to(root: Any, reference: str) -> Any:
    """What a JSON pointer as a fragment (RFC 6901) names in this schema; None for what is not there."""
    if not reference.startswith("#"):
        return None
    found = root
    for part in _pointer_parts(reference[1:]):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isascii() and part.isdigit() and len(part) < 7 and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def _pointer_parts(pointer: str) -> Iterable[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in unquote(pointer).split("/")[1:]]


def type_of(values: list[Any]) -> Json:
    """The type that values have in common, as far as it is worth keeping without them."""
    return {"type": "string"} if values and all(isinstance(value, str) for value in values) else {}


def count_in(value: Any) -> int | None:
    """A number of things; JSON's 3.0 is one as well."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return None
    if value != int(value):
        return None
    return int(value)


def is_plain_number(value: Any) -> bool:
    """A number that a grammar of digits can count to."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= EXACT_LIMIT


def is_simple_divisor(value: float) -> bool:
    """At most 1,000 in its last decimal place, of which there may be three."""
    scaled = next((value * 10**places for places in range(4) if value * 10**places == int(value * 10**places)), 0)
    return 0 < scaled <= _DIVISOR_LIMIT


def is_deep(value: Any) -> bool:
    """Whether lists and objects in it are nested beyond what a grammar should spell out."""
    level = [value]
    for _ in range(_VALUE_LIMIT_DEPTH):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [item for items in inner for item in items]
    return bool(level)
