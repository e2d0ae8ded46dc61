"""What one generation of models refuses and another takes, in the API's words where they are known.

A model whose name has no version that is read here is not held to any of it.
"""

from __future__ import annotations

import re
from typing import Any

from .errors import invalid

_NAME = re.compile(r"claude-([a-z]+)-(\d{1,2})(?:-(\d{1,2}))?(?:-|$)")
_PLAIN_RULES = {
    "string": {"format", "pattern"},
    "array": {"items", "minItems"},
    "object": {"properties", "required", "additionalProperties"},
}
_ANYWHERE = {
    "type",
    "description",
    "title",
    "enum",
    "const",
    "anyOf",
    "allOf",
    "$ref",
    "$defs",
    "definitions",
    "default",
}


def generation(model: str) -> tuple[str, tuple[int, int]] | None:
    """Family and version: `("sonnet", (5, 5))`; a date is no minor version."""
    match = _NAME.match(model)
    return (match[1], (int(match[2]), int(match[3] or 0))) if match else None


def refuses_prefill(model: str) -> bool:
    """Whether a conversation that ends with an assistant message is refused: claude-*-4-6 and newer."""
    known = generation(model)
    return known is not None and known[1] >= (4, 6)


def omits_thinking(model: str) -> bool:
    """Whether thinking comes without its words unless `display` asks for them: 4.7 and newer."""
    known = generation(model)
    return known is not None and known[1] >= (4, 7)


def takes_system_messages(model: str) -> bool:
    """Whether `role: "system"` may stand among the messages, after the first: 4.8 and newer, without a beta header."""
    known = generation(model)
    return known is not None and known[1] >= (4, 8)


def check_model_rules(body: dict[str, Any], model: str) -> None:
    """Refuses what this model does not take. `body` is otherwise valid."""
    known = generation(model)
    if known is None:
        return
    family, version = known
    thinking = body.get("thinking") or {}
    _check_sampling(body, version, thinking.get("type"))
    choice = (body.get("tool_choice") or {}).get("type")
    first_to_refuse = (5, 1) if family in ("fable", "mythos") else (5, 5)
    if choice in ("any", "tool") and family != "haiku" and version >= first_to_refuse:
        raise invalid('tool_choice: type "tool" and "any" are not supported for this model.')
    config = body.get("output_config") or {}
    _check_thinking(thinking, family, version, config.get("effort"))
    _check_effort(config.get("effort"), family, version)
    if config.get("format") is not None:
        if version < (4, 5) and known != ("opus", (4, 1)):
            raise invalid("output_config.format: structured outputs are not supported for this model.")
        check_output_schema(config["format"]["schema"])


def _check_sampling(body: dict[str, Any], version: tuple[int, int], thinking: str | None) -> None:
    temperature, top_p, top_k = (body.get(name) for name in ("temperature", "top_p", "top_k"))
    if version >= (4, 7):
        for name, value, default in (("temperature", temperature, 1), ("top_p", top_p, 1), ("top_k", top_k, None)):
            if value not in (None, default):
                raise invalid(f"`{name}` is deprecated for this model.")
    if version >= (4, 0) and temperature is not None and top_p is not None:
        raise invalid("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    if thinking in ("enabled", "adaptive"):
        if temperature not in (None, 1):
            raise invalid("`temperature` may only be set to 1 when thinking is enabled.")
        if top_k is not None:
            raise invalid("`top_k` must be unset when thinking is enabled.")
        if top_p is not None and top_p < 0.95:
            raise invalid("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")


def _check_thinking(thinking: dict[str, Any], family: str, version: tuple[int, int], effort: str | None) -> None:
    kind = thinking.get("type")
    taken = {"disabled"}
    if (3, 7) <= version < (4, 7):
        taken.add("enabled")
    if version >= (4, 6):
        taken.add("adaptive")
    if family == "sonnet" and version >= (5, 5):
        taken = {"adaptive", "between_tools"}
    elif (family == "opus" and version >= (5, 5)) or family in ("fable", "mythos"):
        taken = {"adaptive"}
    if kind is not None and kind not in taken:
        raise invalid(f'"thinking.type.{kind}" is not supported for this model.')
    if kind == "between_tools" and set(thinking) != {"type"}:
        raise invalid("thinking.between_tools: Extra inputs are not permitted")
    if kind in ("between_tools", "disabled") and version >= (5, 0) and effort in ("xhigh", "max"):
        raise invalid(f'output_config.effort: {effort!r} is not supported with "thinking.type.{kind}".')


def _check_effort(effort: str | None, family: str, version: tuple[int, int]) -> None:
    if effort is None:
        return
    if version < (4, 6) and (family, version) != ("opus", (4, 5)):
        raise invalid("This model does not support the effort parameter.")
    if (effort == "xhigh" and version < (4, 7)) or (effort == "max" and version < (4, 6)):
        raise invalid(f"This model does not support effort level '{effort}'.")


def check_output_schema(schema: object, place: str = "output_config.format.schema") -> None:
    """Refuses what is outside the subset that answers can be held to."""
    if not isinstance(schema, dict):
        raise invalid(f"{place}: Input should be a valid dictionary")
    kind = schema.get("type")
    if kind == "object" and schema.get("additionalProperties") is not False:
        raise invalid(f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    beyond = set(schema) - _ANYWHERE - _PLAIN_RULES.get(str(kind), set())
    if beyond:
        raise invalid(f"{place}: For '{kind}' type, properties {', '.join(sorted(beyond))} are not supported")
    if schema.get("minItems", 0) not in (0, 1):
        raise invalid(f"{place}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    for name, part in (schema.get("properties") or {}).items():
        check_output_schema(part, f"{place}.properties.{name}")
    for name, part in (schema.get("$defs") or {}).items():
        check_output_schema(part, f"{place}.$defs.{name}")
    if "items" in schema:
        check_output_schema(schema["items"], f"{place}.items")
    for keyword in ("anyOf", "allOf"):
        for position, part in enumerate(schema.get(keyword) or ()):
            check_output_schema(part, f"{place}.{keyword}.{position}")
