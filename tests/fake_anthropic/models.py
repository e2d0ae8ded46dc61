"""The catalogue behind GET /v1/models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import ApiError, invalid

_NAMES = (
    ("claude-opus-5-5", "Claude Opus 5.5", "2026-10-21"),
    ("claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-10-21"),
    ("claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-21"),
    ("claude-opus-5", "Claude Opus 5", "2026-07-15"),
    ("claude-sonnet-5", "Claude Sonnet 5", "2026-07-15"),
    ("claude-opus-4-6", "Claude Opus 4.6", "2026-02-05"),
    ("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17"),
    ("claude-haiku-4-5", "Claude Haiku 4.5", "2025-10-15"),
    ("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29"),
)


def _entry(name: str, display_name: str, day: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": display_name,
        "created_at": f"{day}T00:00:00Z",
        "lifecycle": "active",
        "line": name.split("-")[1],
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
        "deprecated_at": None,
        "retires_at": None,
        "capabilities": None,
    }


CATALOGUE = [_entry(*row) for row in _NAMES]
_POSITIONS = {entry["id"]: position for position, entry in enumerate(CATALOGUE)}


def listing(query: Mapping[str, str]) -> dict[str, Any]:
    """One page. `limit` 1 to 1000, default 20; `after_id` and `before_id` as cursors."""
    try:
        limit = int(query.get("limit", "20"))
    except ValueError:
        raise invalid("limit: Input should be a valid integer") from None
    if not 1 <= limit <= 1000:
        bound = "greater than or equal to 1" if limit < 1 else "less than or equal to 1000"
        raise invalid(f"limit: Input should be {bound}")
    if "before_id" in query:
        end = _position(query["before_id"])
        start = max(0, end - limit)
        page, has_more = CATALOGUE[start:end], start > 0
    else:
        start = _position(query["after_id"]) + 1 if "after_id" in query else 0
        page, has_more = CATALOGUE[start : start + limit], start + limit < len(CATALOGUE)
    return {
        "data": page,
        "has_more": has_more,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _position(name: str) -> int:
    if name not in _POSITIONS:
        raise invalid(f"cursor: unknown model {name}")
    return _POSITIONS[name]


def one(name: str) -> dict[str, Any]:
    """One model, or 404."""
    if name not in _POSITIONS:
        raise ApiError(404, "not_found_error", f"model: {name}")
    return CATALOGUE[_POSITIONS[name]]
