"""What is copied of a JSON schema, and what is left out."""

from __future__ import annotations

import time
from typing import Any

import pytest

from local_llm.prompt.schema_outline import SCHEMA_LIMIT, Outline, TooLargeError
from local_llm.prompt.schema_values import Json

TEXT = {"type": "string"}


def whole(schema: Any) -> tuple[Any, bool]:
    """All that can be held, and whether something was left out."""
    outline = Outline(lambda _: True)
    return outline.document(outline.of(schema)), outline.left_out


def nested(depth: int) -> Json:
    schema: Json = TEXT
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"], "additionalProperties": False}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"b": TEXT, "a": {"type": "integer"}}, "additionalProperties": False},
        {"type": "object", "required": ["x", "y"]},
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": {"type": "integer"}},
        {"type": "object", "patternProperties": {"^x": TEXT}, "minProperties": 1, "maxProperties": 4},
        {"type": "array", "items": TEXT, "minItems": 2, "maxItems": 3},
        {"type": "array", "prefixItems": [TEXT, {"type": "null"}], "items": False},
        {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^a", "format": "date"},
        {"type": "number", "minimum": 0, "exclusiveMaximum": 9.5, "multipleOf": 0.5},
        {"type": ["string", "null"]},
        {"enum": ["a", 1, None, {"b": [2]}]},
        {"const": 'naïve 😀 "x" \\ \n'},
        {"anyOf": [TEXT, {"type": "null"}]},
        {},
        True,
        False,
    ],
)
def test_what_can_be_held_is_copied(schema: Any) -> None:
    """Every keyword that a grammar can hold, in the order it stands."""
    copied, left_out = whole(schema)
    assert copied == schema
    assert not left_out
    if isinstance(schema, dict) and "properties" in schema:
        assert list(copied["properties"]) == list(schema["properties"])


@pytest.mark.parametrize(
    ("schema", "copied"),
    [
        ({"title": "T", "description": "D", "default": 1, "x-guidance": {"lenient": True}, **TEXT}, TEXT),
        ({"properties": {"a": TEXT}}, {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False}),
        ({"items": TEXT}, {"type": "array", "items": TEXT}),
        ({"items": [TEXT]}, {"type": "array", "prefixItems": [TEXT]}),
        ({"pattern": "a"}, {"type": "string", "pattern": "a"}),
        ({"minimum": 3.0}, {"type": "number", "minimum": 3.0}),
        ({"type": "string", "minLength": 3.0, "maxLength": 10**30}, {"type": "string", "minLength": 3}),
        ({"allOf": [TEXT]}, TEXT),
        (
            {"allOf": [{"properties": {"a": TEXT}}, {"required": ["a"]}]},
            {"allOf": [{"type": "object", "properties": {"a": TEXT}}, {"type": "object", "required": ["a"]}]},
        ),
    ],
    ids=["notes", "object", "array", "tuple", "string", "number", "counts", "one of one", "several at once"],
)
def test_what_is_meant(schema: Json, copied: Json) -> None:
    """Notes go; a type that is left out is the obvious one; an object has the properties it names, and no others."""
    assert whole(schema) == (copied, False)


@pytest.mark.parametrize(
    ("schema", "copied"),
    [
        ({"not": TEXT}, {}),
        ({"type": "integer", "if": {"minimum": 3}, "then": {"maximum": 9}}, {"type": "integer"}),
        ({"type": "strin"}, {}),
        ({"type": 5}, {}),
        ({"type": "string", "minLength": 100_000_000}, TEXT),
        ({"type": "string", "minLength": 9, "maxLength": 3}, TEXT),
        ({"type": "string", "minLength": -1}, TEXT),
        ({"type": "string", "minLength": 1e308 * 10}, TEXT),
        ({"type": "string", "pattern": 5}, TEXT),
        ({"type": "string", "pattern": "a" * 100_000}, TEXT),
        ({"type": "array", "minItems": 100_000_000}, {"type": "array"}),
        ({"type": "integer", "minimum": 10**30}, {"type": "integer"}),
        ({"type": "integer", "minimum": 9, "maximum": 3}, {"type": "integer"}),
        ({"type": "integer", "multipleOf": 99_991}, {"type": "integer"}),
        ({"type": "integer", "multipleOf": 0}, {"type": "integer"}),
        ({"const": "x" * 1_000_000}, TEXT),
        ({"const": nested(300)}, {}),
        ({"enum": ["x" * 40 + str(n) for n in range(20_000)]}, TEXT),
        ({"enum": []}, {}),
        ({"enum": "ab"}, {}),
        ({"anyOf": []}, {}),
        ({"anyOf": 7}, {}),
        ({"type": "object", "properties": [1]}, {"type": "object"}),
        ({"type": "object", "required": "a"}, {"type": "object"}),
        ({"type": "array", "items": 7}, {"type": "array", "items": {}}),
        ({"$ref": "https://example.com/x"}, {}),
        ({"$ref": "#/$defs/missing"}, {}),
        ({"$ref": "#"}, {}),
        ({"$ref": 5}, {}),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, {}),
        ({"$ref": "#/anyOf/99999999999999999999", "anyOf": []}, {}),
        (7, {}),
        (None, {}),
    ],
)
def test_what_cannot_be_held_is_left_out(schema: Any, copied: Any) -> None:
    """And said to be: the rest of the schema stays."""
    assert whole(schema) == (copied, True)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {f"k{n}": TEXT for n in range(501)}},
        {"type": "object", "required": [f"k{n}" for n in range(100_000)]},
        {"type": "array", "prefixItems": [TEXT] * (SCHEMA_LIMIT + 1)},
        {"anyOf": [{"properties": {f"k{n}": TEXT for n in range(30)}} for _ in range(100)]},
        {"type": "object", "properties": {"x" * 300_000: TEXT}},
    ],
    ids=["properties", "required", "tuple", "alternatives", "a name"],
)
def test_too_much_is_said(schema: Json) -> None:
    """Soon, whatever the size."""
    began = time.process_time()
    with pytest.raises(TooLargeError):
        whole(schema)
    assert time.process_time() - began < 1


def test_references_stay_within_their_schema() -> None:
    """Names of ours, one for each thing that is pointed at, loops included; two schemas' do not meet."""
    tree = {
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "kind": {"$ref": "#/$defs/my%20kind~1x"}},
        "$defs": {"my kind/x": TEXT},
    }
    outline = Outline(lambda _: True)
    first = outline.of(tree)
    assert first["properties"] == {"left": {"$ref": "#/$defs/d0"}, "kind": {"$ref": "#/$defs/d1"}}
    assert outline.definitions == {"d0": first, "d1": TEXT}
    second = outline.of({"$ref": "#/$defs/my%20kind~1x", "$defs": {"my kind/x": {"type": "integer"}}})
    assert outline.definitions[second["$ref"].rpartition("/")[2]] == {"type": "integer"}
    assert not outline.left_out


def test_the_depth_is_bounded() -> None:
    """The outer part of a deep schema is held; a chain of references is not deep."""
    copied, left_out = whole(nested(800))
    depth = 0
    while copied:
        copied, depth = copied.get("properties", {}).get("a"), depth + 1
    assert 20 < depth < 40
    assert left_out
    chain: Json = {f"d{n}": {"type": "array", "items": {"$ref": f"#/$defs/d{n + 1}"}} for n in range(900)}
    assert not whole({"$ref": "#/$defs/d0", "$defs": chain | {"d900": TEXT}})[1]


def test_the_outline_has_no_bounds() -> None:
    """Types, names, required and lists of values; no pattern, format, length, range."""
    bounded = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "pattern": "^a", "minLength": 1, "format": "date"},
            "b": {"type": "integer", "minimum": 1},
            "c": {"type": "array", "items": {"enum": ["x"]}, "minItems": 2},
        },
        "required": ["a"],
    }
    outline = Outline(None)
    assert outline.of(bounded) == {
        "type": "object",
        "properties": {"a": TEXT, "b": {"type": "integer"}, "c": {"type": "array", "items": {"enum": ["x"]}}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert outline.left_out


def test_patterns_are_tried() -> None:
    """Each once, with the lengths it is bounded by, and not endlessly many: what does not hold is left out alone."""
    tried: list[Json] = []

    def holds(schema: Json) -> bool:
        tried.append(schema)
        return "bad" not in schema["pattern"]

    outline = Outline(holds)
    good, bad = {"type": "string", "minLength": 2, "pattern": "good"}, {"type": "string", "pattern": "bad"}
    assert outline.of({"type": "array", "prefixItems": [good, good, bad]})["prefixItems"] == [good, good, TEXT]
    assert tried == [good, bad]
    assert outline.left_out
    outline = Outline(holds)
    tried.clear()
    outline.of({"anyOf": [{"type": "string", "pattern": f"good{n}"} for n in range(500)]})
    assert len(tried) == 40


@pytest.mark.parametrize(
    ("schema", "copied"),
    [
        ({"type": "string"}, {"type": "object"}),
        ({"type": ["object", "string"]}, {"type": "object"}),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array"}}}, {"type": "object"}),
        ({"anyOf": [{"required": ["a"]}]}, {"anyOf": [{"type": "object", "required": ["a"]}], "type": "object"}),
        ({}, {"type": "object"}),
        (False, {"type": "object"}),
    ],
)
def test_arguments_are_objects(schema: Any, copied: Json) -> None:
    """Whatever a tool's parameters say: no client can take anything else."""
    assert Outline(lambda _: True).of_object(schema) == copied
