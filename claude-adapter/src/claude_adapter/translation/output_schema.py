"""A JSON schema in the subset that Claude can hold an answer to. Pure.

Source: the limits in Anthropic's documentation of structured outputs. What is only a finer rule (a minimum, a pattern)
moves into the description; what would change the answer's shape (recursion, open objects) makes the schema unfit.
"""

from typing import Any

import orjson

Json = dict[str, Any]

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_PLAIN_TYPES = frozenset({"string", "integer", "number", "boolean", "null"})
_DROPPED = frozenset({"$schema", "$id", "$comment", "title"})
_OWN_RULES = {
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
    "array": ("items", "minItems"),
    "string": ("format",),
}
_DEFINITIONS = ("$defs", "definitions")
_MOST_OPTIONAL, _MOST_UNIONS, _MOST_PARTS, _DEEPEST = 24, 16, 500, 50


class _UnfitError(Exception):
    """The schema cannot be brought into the subset."""


def output_schema(schema: Json) -> Json | None:
    """The schema as `output_config.format` takes it, or None when it cannot."""
    try:
        return _Fitting(schema).fitted()
    except (_UnfitError, orjson.JSONEncodeError):  # the latter: a rule nested too deeply to be told
        return None


class _Fitting:
    """One pass over a schema, counting what is limited for the whole of it."""

    def __init__(self, schema: Json) -> None:
        self._schema = schema
        self._optional = self._unions = self._parts = self._depth = 0
        self._definitions: dict[str, Any] = {}
        for key in _DEFINITIONS:
            if isinstance(given := schema.get(key), dict):
                self._definitions |= {f"#/{key}/{name}": part for name, part in given.items()}

    def fitted(self) -> Json:
        fitted = self._fit(self._schema, ())
        if fitted.get("type") != "object" or self._optional > _MOST_OPTIONAL or self._unions > _MOST_UNIONS:
            raise _UnfitError
        return fitted

    def _fit(self, schema: object, above: tuple[str, ...]) -> Json:
        """`above` are the references that led here: one met again would never end."""
        self._parts += 1  # references are written out, and could grow without end
        if not isinstance(schema, dict) or self._parts > _MOST_PARTS or self._depth > _DEEPEST:
            raise _UnfitError
        rest = {key: value for key, value in schema.items() if key not in _DROPPED and key not in _DEFINITIONS}
        if (reference := rest.pop("$ref", None)) is not None:
            if not isinstance(reference, str) or reference in above or reference not in self._definitions:
                raise _UnfitError
            target = self._definitions[reference]
            if not isinstance(target, dict):
                raise _UnfitError
            return self._fit({**target, **rest}, (*above, reference))
        every = rest.get("allOf")
        if isinstance(every, list) and len(every) == 1 and isinstance(every[0], dict):
            del rest["allOf"]  # as pydantic writes a reference with a description of its own
            return self._fit({**every[0], **rest}, above)
        if "allOf" in rest or "not" in rest or "if" in rest:
            raise _UnfitError
        self._depth += 1
        fitted = self._shape(rest, above)
        self._depth -= 1
        return _with_description(fitted, rest)

    def _shape(self, rest: Json, above: tuple[str, ...]) -> Json:
        """The part that decides over the answer's shape; what it uses is taken out of `rest`."""
        for key in ("anyOf", "oneOf"):
            if isinstance(branches := rest.pop(key, None), list) and branches:
                if "properties" in rest:
                    raise _UnfitError
                rest.pop("type", None)
                self._unions += 1
                return {"anyOf": [self._fit(branch, above) for branch in branches]}
        if isinstance(values := rest.get("enum"), list) and values and all(map(_is_plain, values)):
            del rest["enum"]
            rest.pop("type", None)
            return {"enum": values}
        if "const" in rest and _is_plain(rest["const"]):
            rest.pop("type", None)
            return {"const": rest.pop("const")}
        kind = rest.pop("type", None)
        if isinstance(kind, list) and kind:
            self._unions += len(kind) > 1
            own = {str(one): {key: rest[key] for key in _OWN_RULES.get(str(one), ()) if key in rest} for one in kind}
            for key in {key for rules in own.values() for key in rules}:
                del rest[key]
            fitted = [self._fit({"type": one, **own[str(one)]}, above) for one in kind]
            return {"anyOf": fitted} if len(fitted) > 1 else fitted[0]
        if kind == "object" or (kind is None and "properties" in rest):
            return self._object(rest, above)
        if kind == "array":
            array: Json = {"type": "array", "items": self._fit(rest.pop("items", None), above)}
            if rest.get("minItems") in (0, 1):
                array["minItems"] = rest.pop("minItems")
            return array
        if not isinstance(kind, str) or kind not in _PLAIN_TYPES:
            raise _UnfitError
        plain: Json = {"type": kind}
        if kind == "string" and rest.get("format") in _FORMATS:
            plain["format"] = rest.pop("format")
        return plain

    def _object(self, rest: Json, above: tuple[str, ...]) -> Json:
        properties = rest.pop("properties", None) or {}
        others = rest.pop("additionalProperties", None)
        is_open = others not in (None, False) or (others is None and not properties) or "patternProperties" in rest
        if not isinstance(properties, dict) or is_open:
            raise _UnfitError
        required = rest.pop("required", None) or []
        if not isinstance(required, list):
            raise _UnfitError
        needed = [name for name in properties if name in required]
        self._optional += len(properties) - len(needed)
        return {
            "type": "object",
            "properties": {name: self._fit(part, above) for name, part in properties.items()},
            "required": needed,
            "additionalProperties": False,
        }


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _with_description(fitted: Json, rest: Json) -> Json:
    """The finer rules in words, where Claude may follow them without being held to them."""
    description = rest.pop("description", None)
    words = [description] if isinstance(description, str) and description else []
    if rest:
        words.append(orjson.dumps(rest).decode())
    return {**fitted, "description": "\n\n".join(words)} if words else fitted
