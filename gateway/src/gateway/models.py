"""GET /v1/models: the names that can be asked for, in the caller's dialect."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from starlette.datastructures import QueryParams

from gateway.dialects.errors import AnthropicError
from gateway.relay.upstream import Upstream, UpstreamError
from gateway.status.contracts import ContractError, read_model_list
from gateway.status.poller import Status

Json = dict[str, Any]

# Claude's window when Claude has not been asked yet; agents refuse models whose window they think too small.
CLAUDE_CONTEXT_TOKENS = 200_000
_FRESH_SECONDS = 300.0
_DEFAULT_PAGE, _LARGEST_PAGE = 20, 1000
_LOCAL_CREATED_AT = "1970-01-01T00:00:00Z"  # as Anthropic does for a release date it does not know


class Models:
    """The list. Claude's own part is asked for when somebody looks, and kept for the time of an outage."""

    def __init__(self, upstream: Upstream, status: Status, aliases: tuple[str, ...]) -> None:
        self._upstream = upstream
        self._status = status
        self._aliases = aliases
        self._of_claude: list[Json] = []
        self._asked_at = float("-inf")

    async def entries(self, *, with_local: bool = True) -> list[Json]:
        """Every model in Anthropic's shape, with its context window under the names that agents look for."""
        await self._ask_claude()
        return entries(
            self._of_claude,
            self._status.claude.model,
            self._aliases,
            self._status.local.model if with_local else None,
            self._status.local.context_tokens,
        )

    async def _ask_claude(self) -> None:
        if time.monotonic() - self._asked_at < _FRESH_SECONDS:
            return
        try:
            listed = await self._upstream.list_models()
            if listed is None:
                return
            self._of_claude = read_model_list(listed)
        except (UpstreamError, ContractError):
            return  # what was known before, or what the settings name, will do
        self._asked_at = time.monotonic()


def entries(
    of_claude: list[Json], default: str | None, aliases: Iterable[str], local: str | None, local_tokens: int
) -> list[Json]:
    """`pilot` and the aliases, then Claude's models, then the local one by both its names."""
    known = {entry["id"]: entry for entry in of_claude}
    if default is not None:
        known.setdefault(default, {"id": default})
    best = known.get(default or "", {})
    found = [_entry({**best, "id": name, "display_name": name}) for name in ("pilot", *aliases)]
    found += [_entry(entry) for entry in known.values()]
    if local is not None:
        # Without a window of its own to tell, an agent would take it for Claude's.
        found += [_entry({"id": name, "max_input_tokens": local_tokens}) for name in ("local", local)]
    return found


def openai_shape(entry: Json) -> Json:
    """The entry as OpenAI lists it. Agents read the window from `context_length`, others from `max_model_len`."""
    created = int(datetime.fromisoformat(entry["created_at"]).timestamp())
    shaped = {"id": entry["id"], "object": "model", "created": created, "owned_by": "pilot-light"}
    return shaped | {name: entry[name] for name in ("context_length", "max_model_len", "max_input_tokens")}


def page(found: list[Json], query: QueryParams) -> Json:
    """One page as Anthropic gives it: `limit`, `after_id`, `before_id`. Raises AnthropicError."""
    limit = query.get("limit", str(_DEFAULT_PAGE))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= _LARGEST_PAGE):
        raise AnthropicError(400, f"limit: Input should be a valid integer from 1 to {_LARGEST_PAGE}")
    names = [entry["id"] for entry in found]
    start, end = 0, len(found)
    for name in ("after_id", "before_id"):
        if name in query:
            if query[name] not in names:
                raise AnthropicError(400, f"{name}: there is no such model")
            position = names.index(query[name])
            start, end = (position + 1, end) if name == "after_id" else (start, position)
    if "before_id" in query:
        first = max(start, end - int(limit))
        shown, more = found[first:end], first > start
    else:
        shown, more = found[start : start + int(limit)], end - start > int(limit)
    ids = [entry["id"] for entry in shown]
    return {"data": shown, "has_more": more, "first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}


def _entry(entry: Json) -> Json:
    window = entry.get("max_input_tokens") or CLAUDE_CONTEXT_TOKENS
    return {
        "type": "model",
        "display_name": entry["id"],
        "created_at": _LOCAL_CREATED_AT,
        "lifecycle": "active",
        **entry,
        "max_input_tokens": window,
        "context_length": window,
        "max_model_len": window,
    }
