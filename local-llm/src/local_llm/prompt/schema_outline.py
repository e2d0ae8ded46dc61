"""What of a JSON schema an answer is held to: a copy with bounded size that any compiler of schemas can take. Pure.

A schema is a client's text and may be a megabyte, a loop, a pattern that unrolls to gigabytes, or no schema at all.
What is copied is known and bounded; the rest is left out, and `left_out` says so, for the model to be asked in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson

from local_llm.prompt.schema_values import (
    EXACT_LIMIT,
    Json,
    count_in,
    is_deep,
    is_plain_number,
    is_simple_divisor,
    pointed_to,
    type_of,
)

_Rest = TypeVar("_Rest")

# Measured with llguidance on 2 cores: at these bounds a schema is compiled in 0.4 s at most, without them 0.3 to 60 s.
SCHEMA_LIMIT = 2000  # schemas and required names, each property being one
_PROPERTIES_LIMIT = 500  # of one object: they cost their square
TEXT_LIMIT_CHARACTERS = 250_000  # of all names and values; 900 values of 212 characters are 190,000
_VALUE_LIMIT_CHARACTERS = 4000  # of one value: every token costs as much again as the value is long
_DEPTH_LIMIT = 30  # of schemas inside each other; the compiler reads 128 levels of JSON, a schema takes 2 to 3
_PATTERN_LIMIT_CHARACTERS = 2000
_PATTERN_LIMIT = 40  # trying one takes up to 30 ms
_MOST = {"minLength": 4000, "minItems": 500, "minProperties": 500}  # an answer that is longer would be cut

_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_JOINING = ("anyOf", "oneOf", "allOf")
_IMPLIED_TYPES = {  # what people mean who leave the type out
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_KNOWN = {"$ref", "type", "enum", "const", *_JOINING, *(word for words in _IMPLIED_TYPES.values() for word in words)}
_UNHELD = {  # they say what an answer must be, and no compiler of grammars can hold it to them
    *("not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "contains", "minContains"),
    *("maxContains", "uniqueItems", "unevaluatedProperties", "unevaluatedItems", "propertyNames", "additionalItems"),
    *("$dynamicRef", "$recursiveRef"),
}


class TooLargeError(Exception):
    """More schemas or longer texts than an answer is held to."""


class Outline:
    """Copies schemas, one after another, into one document; `definitions` are theirs together.

    `holds` says whether a schema of a string with a pattern can be held; None leaves out all that bounds a value, its
    pattern, format, length and range, and keeps types, names, and lists of values.
    """

    def __init__(self, holds: Callable[[Json], bool] | None) -> None:
        self.definitions: dict[str, Any] = {}
        self.left_out = False
        self._holds = holds
        self._schemas_left = SCHEMA_LIMIT
        self._characters_left = TEXT_LIMIT_CHARACTERS
        self._tried: dict[bytes, bool] = {}
        self._names: dict[tuple[int, str, bool], str] = {}
        self._to_define: list[tuple[str, Any, bool]] = []
        self._root: Any = None

    def of(self, root: Any) -> Any:
        """A schema's copy: an object or a boolean, with references into `definitions`. Raises `TooLargeError`."""
        self._root = root
        copied = self._copy(root, False, 0)
        while self._to_define:
            name, schema, joined = self._to_define.pop()
            self.definitions[name] = self._copy(schema, joined, 0)
        return copied

    def of_object(self, root: Any) -> Json:
        """The same for a value that must be an object, whatever the schema says. Raises `TooLargeError`."""
        copied = self.of(root)
        kind = root_type(copied, self.definitions)
        if not isinstance(copied, dict) or kind not in (None, "object"):
            self.left_out = True
            return {"type": "object"}
        return copied if kind else {**copied, "type": "object"}

    def document(self, schema: Any) -> Any:
        """A schema together with what it refers to."""
        return {**schema, "$defs": self.definitions} if isinstance(schema, dict) and self.definitions else schema

    def _copy(self, schema: Any, joined: bool, depth: int) -> Any:
        """`joined`: others hold for the same value, so that this one cannot say which properties there are."""
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping) or depth > _DEPTH_LIMIT:
            return self._without({})
        self._spend(schemas=1)
        said = schema.keys() & _KNOWN
        if schema.keys() & _UNHELD:
            self.left_out = True
        if said == {"$ref"}:
            return self._referred(schema["$ref"], joined)
        if said == {"allOf"} and isinstance(schema["allOf"], list) and len(schema["allOf"]) == 1:
            return self._copy(schema["allOf"][0], joined, depth + 1)
        joins = said & {"$ref", *_JOINING}
        joined = joined or "allOf" in joins or (bool(joins) and len(said) > 1)
        copied: Json = {}
        if "$ref" in joins:
            copied |= self._referred(schema["$ref"], joined)
        for word in _JOINING:
            if word in joins:
                copied |= self._joined(word, schema[word], joined, depth)
        types = self._types(schema, bool(joins))
        if types:
            copied["type"] = types[0] if len(types) == 1 else types
        copied = self._values(schema) | copied
        if not types or "object" in types:
            copied |= self._object(schema, joined, depth)
        if not types or "array" in types:
            copied |= self._array(schema, joined, depth)
        if self._holds is None:
            self.left_out = self.left_out or bool(said & {*_IMPLIED_TYPES["string"], *_IMPLIED_TYPES["number"]})
            return copied
        if not types or "string" in types:
            copied |= self._string(schema)
        if not types or {"number", "integer"} & set(types):
            copied |= self._number(schema)
        return copied

    def _types(self, schema: Mapping[str, Any], joins: bool) -> list[str]:
        named = schema.get("type")
        if named is not None:
            types = [each for each in (named if isinstance(named, list) else [named]) if each in _TYPES]
            return types or self._without([])
        if joins or "enum" in schema or "const" in schema:
            return []
        return [kind for kind, words in _IMPLIED_TYPES.items() if any(word in schema for word in words)][:1]

    def _joined(self, word: str, schemas: Any, joined: bool, depth: int) -> Json:
        if not isinstance(schemas, list) or not schemas:
            return self._without({})
        return {word: [self._copy(each, joined, depth + 1) for each in schemas]}

    def _referred(self, reference: Any, joined: bool) -> Json:
        """A reference into the same schema, by a name of ours; anything for any other."""
        key = (id(self._root), reference if isinstance(reference, str) else "", joined)
        if key not in self._names:
            target, seen = reference, set()
            while True:  # a reference to a reference, and so on, may lead back to itself and say nothing
                if not isinstance(target, str) or target in seen:
                    return self._without({})
                seen.add(target)
                schema = pointed_to(self._root, target)
                if not isinstance(schema, Mapping) or schema.keys() & _KNOWN != {"$ref"}:
                    break
                target = schema["$ref"]
            if schema is None:
                return self._without({})
            self._names[key] = name = f"d{len(self._names)}"
            self._to_define.append((name, schema, joined))
        return {"$ref": f"#/$defs/{self._names[key]}"}

    def _values(self, schema: Mapping[str, Any]) -> Json:
        """`enum` and `const`, as far as they are short."""
        if "const" in schema:
            value = schema["const"]
            return {"const": value} if self._short([value]) else self._without(type_of([value]))
        values = schema.get("enum")
        if isinstance(values, list) and values and self._short(values):
            return {"enum": values}
        return {} if values is None else self._without(type_of(values) if isinstance(values, list) else {})

    def _short(self, values: list[Any]) -> bool:
        if any(is_deep(value) for value in values):
            return False
        sizes = [len(orjson.dumps(value)) for value in values]
        if max(sizes) > _VALUE_LIMIT_CHARACTERS or sum(sizes) > self._characters_left:
            return False
        self._spend(characters=sum(sizes))
        return True

    def _object(self, schema: Mapping[str, Any], joined: bool, depth: int) -> Json:
        copied: Json = {}
        properties = schema.get("properties")
        if isinstance(properties, Mapping):
            if len(properties) > _PROPERTIES_LIMIT:
                raise TooLargeError
            self._spend(characters=sum(map(len, properties)))
            copied["properties"] = {name: self._copy(each, False, depth + 1) for name, each in properties.items()}
        required = schema.get("required")
        if isinstance(required, list):
            names = list(dict.fromkeys(name for name in required if isinstance(name, str)))
            self._spend(schemas=len(names), characters=sum(map(len, names)))
            copied["required"] = names
        elif required is not None or not isinstance(properties, Mapping | None):
            self.left_out = True
        patterns = schema.get("patternProperties")
        if isinstance(patterns, Mapping) and patterns:
            copied |= self._pattern_properties(patterns, depth)
        if "additionalProperties" in schema:
            copied["additionalProperties"] = self._copy(schema["additionalProperties"], False, depth + 1)
        elif copied.get("properties") and not joined and "patternProperties" not in schema:
            copied["additionalProperties"] = False  # what nobody asked for, a small model would write for ever
        return copied | self._counts(schema, "minProperties", "maxProperties")

    def _pattern_properties(self, patterns: Mapping[str, Any], depth: int) -> Json:
        holds = self._holds is not None and all(self._pattern_holds({"type": "string", "pattern": p}) for p in patterns)
        if not holds:
            return self._without({})
        self._spend(characters=sum(map(len, patterns)))
        return {"patternProperties": {name: self._copy(each, False, depth + 1) for name, each in patterns.items()}}

    def _array(self, schema: Mapping[str, Any], joined: bool, depth: int) -> Json:
        copied: Json = {}
        items, prefix = schema.get("items"), schema.get("prefixItems")
        if isinstance(items, list):  # as it was written before 2020
            items, prefix = schema.get("additionalItems"), items
        if isinstance(prefix, list) and prefix:
            copied["prefixItems"] = [self._copy(each, False, depth + 1) for each in prefix]
        if items is not None:
            copied["items"] = self._copy(items, False, depth + 1)
        return copied | self._counts(schema, "minItems", "maxItems")

    def _string(self, schema: Mapping[str, Any]) -> Json:
        copied = self._counts(schema, "minLength", "maxLength")
        if isinstance(schema.get("format"), str):
            copied["format"] = schema["format"]
        pattern = schema.get("pattern")
        if pattern is None:
            return copied
        if isinstance(pattern, str) and self._pattern_holds({"type": "string", **copied, "pattern": pattern}):
            return {**copied, "pattern": pattern}
        return self._without(copied)

    def _pattern_holds(self, schema: Json) -> bool:
        if len(schema["pattern"]) > _PATTERN_LIMIT_CHARACTERS or self._holds is None:
            return False
        key = orjson.dumps(schema)
        if key not in self._tried:
            self._tried[key] = len(self._tried) < _PATTERN_LIMIT and self._holds(schema)
        return self._tried[key]

    def _counts(self, schema: Mapping[str, Any], least: str, most: str) -> Json:
        """A smallest and a largest number of something."""
        if self._holds is None:
            self.left_out = self.left_out or least in schema or most in schema
            return {}
        low, high = (count_in(schema.get(word)) for word in (least, most))
        if (low is None and least in schema) or (high is None and most in schema):
            self.left_out = True
        if low is not None and (low > _MOST[least] or (high is not None and low > high)):
            return self._without({})
        reachable = high is not None and high <= EXACT_LIMIT
        return ({least: low} if low else {}) | ({most: high} if reachable else {})

    def _number(self, schema: Mapping[str, Any]) -> Json:
        words = [word for word in _IMPLIED_TYPES["number"] if word in schema]
        copied = {word: schema[word] for word in words if is_plain_number(schema[word])}
        if "multipleOf" in copied and not is_simple_divisor(copied["multipleOf"]):
            del copied["multipleOf"]
        low = max((copied[word] for word in ("minimum", "exclusiveMinimum") if word in copied), default=-math.inf)
        high = min((copied[word] for word in ("maximum", "exclusiveMaximum") if word in copied), default=math.inf)
        if low > high:
            return self._without({})
        return copied if len(copied) == len(words) else self._without(copied)

    def _without(self, rest: _Rest) -> _Rest:
        self.left_out = True
        return rest

    def _spend(self, *, schemas: int = 0, characters: int = 0) -> None:
        self._schemas_left -= schemas
        self._characters_left -= characters
        if self._schemas_left < 0 or self._characters_left < 0:
            raise TooLargeError


def root_type(schema: Any, definitions: Mapping[str, Any]) -> str | None:
    """The one type a copied schema's value has, if that is said."""
    if isinstance(schema, dict) and "type" not in schema and "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type") if isinstance(schema, dict) else None
    return kind if isinstance(kind, str) else None
