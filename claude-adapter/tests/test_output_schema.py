"""JSON schemas in the subset that Claude can hold an answer to."""

from typing import Any

import pytest

from claude_adapter.translation.output_schema import output_schema

TEXT = {"type": "string"}


def thing(required: Any = None, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


FIT = {
    "objects are closed, and only what exists is required": (
        {"type": "object", "properties": {"a": TEXT}, "required": ["a", "b", ["c"]]},
        thing(a=TEXT),
    ),
    "several types, as OpenAI writes what may be null": (
        thing(a={"type": ["string", "null"], "description": "d", "format": "date"}),
        thing(a={"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "description": "d"}),
    ),
    "finer rules go into the description": (
        thing(
            a={"type": "integer", "minimum": 1, "description": "Count"},
            b={"type": "array", "items": TEXT, "minItems": 3},
        ),
        thing(
            a={"type": "integer", "description": 'Count\n\n{"minimum":1}'},
            b={"type": "array", "items": TEXT, "description": '{"minItems":3}'},
        ),
    ),
    "what Claude knows stays": (
        thing(
            a={"type": "string", "format": "email"},
            b={"type": "array", "items": TEXT, "minItems": 1},
            c={"enum": [1, None]},
        ),
        thing(
            a={"type": "string", "format": "email"},
            b={"type": "array", "items": TEXT, "minItems": 1},
            c={"enum": [1, None]},
        ),
    ),
    "references are written out, with pydantic's way to describe one": (
        {
            **thing(a={"$ref": "#/$defs/T"}, b={"allOf": [{"$ref": "#/$defs/T"}], "description": "B"}),
            "$defs": {"T": TEXT},
        },
        thing(a=TEXT, b={"type": "string", "description": "B"}),
    ),
    "a root that is a reference": ({"$ref": "#/definitions/R", "definitions": {"R": thing(a=TEXT)}}, thing(a=TEXT)),
    "titles and dialect are noise": ({**thing(a={**TEXT, "title": "A"}), "$schema": "x", "title": "T"}, thing(a=TEXT)),
    "choices": (
        thing(a={"oneOf": [TEXT, {"type": "string", "enum": ["x"]}, {"const": 3}]}),
        thing(a={"anyOf": [TEXT, {"enum": ["x"]}, {"const": 3}]}),
    ),
}


@pytest.mark.parametrize("case", FIT)
def test_fit(case: str) -> None:
    """The answer's shape stays the same; only finer rules are told in words."""
    given, expected = FIT[case]
    assert output_schema(given) == expected


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = TEXT
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return thing(a=schema)


UNFIT: dict[str, dict[str, Any]] = {
    "no object at the root": {"type": "array", "items": TEXT},
    "a choice at the root": {"anyOf": [thing(a=TEXT), thing(b=TEXT)]},
    "any keys": {"type": "object"},
    "any more keys": {**thing(a=TEXT), "additionalProperties": True},
    "keys by pattern": {"type": "object", "properties": {"a": TEXT}, "patternProperties": {".": TEXT}},
    "anything": thing(a={}),
    "anything, as JSON Schema says it": thing(a=True),
    "a list of anything": thing(a={"type": "array"}),
    "recursion": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": thing(a={"$ref": "#/$defs/A"})},
    },
    "a reference to nowhere": thing(a={"$ref": "#/$defs/A"}),
    "a reference to its own whole": thing(a={"$ref": "#"}),
    "all of several": thing(a={"allOf": [TEXT, TEXT]}),
    "conditions": thing(a={"type": "string", "not": {"const": "x"}}),
    "an unknown type": thing(a={"type": "text"}),
    "a broken list of properties": {"type": "object", "properties": [1], "additionalProperties": False},
    "nested without end": deep(60),
    "too much left to choice": thing([], **{f"p{index}": TEXT for index in range(25)}),
    "too many unions": thing(**{f"p{index}": {"type": ["string", "null"]} for index in range(17)}),
    "references that would grow without end": {
        **thing(a={"$ref": "#/$defs/d0"}),
        "$defs": {f"d{i}": thing(a={"$ref": f"#/$defs/d{i + 1}"}, b={"$ref": f"#/$defs/d{i + 1}"}) for i in range(30)}
        | {"d30": TEXT},
    },
}


@pytest.mark.parametrize("case", UNFIT)
def test_unfit(case: str) -> None:
    """What would change the answer's shape, or is beyond Claude's limits, is not forced into the subset."""
    assert output_schema(UNFIT[case]) is None
