"""What a request must look like: declared once, checked at every request and published as JSON Schema. Pure.

Nothing is built while all is well: a mistake gathers its path on its way out. Values are those of a JSON parser, whose
types are exact; a null counts as absent.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["missing", "type", "value", "empty", "unsupported"]

_NULL: Json = {"type": "null"}


class MistakeError(Exception):
    """A value that is not as declared: `wanted` says what was expected, `path` where, from the outside in."""

    def __init__(self, kind: Kind, wanted: str, got: object = None, *path: str | int) -> None:
        super().__init__(wanted)
        self.kind = kind
        self.wanted = wanted
        self.got = got
        self.path: list[str | int] = [*path]


class Shape(ABC):
    """A kind of value; `words` name it to the reader of an error, and what is of `sure_types` needs no look."""

    def __init__(self, words: str, sure_types: tuple[type, ...] = ()) -> None:
        self.words = words
        self.sure_types = sure_types

    @abstractmethod
    def check(self, value: Any) -> None:
        """Raises MistakeError."""

    @abstractmethod
    def schema(self) -> Json:
        """The same as JSON Schema: never stricter than `check`."""


class Leaf(Shape):
    """A value of one of these types; `accepts` says which of them (to the reader: `otherwise`), and `schema` both."""

    def __init__(
        self,
        words: str,
        types: type | tuple[type, ...],
        schema: Json,
        accepts: Callable[[Any], object] | None = None,
        otherwise: str = "",
    ) -> None:
        self._types = types if isinstance(types, tuple) else (types,)
        super().__init__(words, () if accepts else self._types)
        self._schema = schema
        self._accepts = accepts
        self._otherwise = otherwise

    def check(self, value: Any) -> None:
        if type(value) not in self._types:
            raise MistakeError("type", self.words, value)
        if self._accepts is not None and not self._accepts(value):
            raise MistakeError("value" if self._otherwise else "type", self._otherwise or self.words, value)

    def schema(self) -> Json:
        return self._schema


class Fields(Shape):
    """An object; fields that are not named pass. `inside` is a step of the path that is in no document."""

    def __init__(
        self,
        words: str,
        required: Mapping[str, Shape] | None = None,
        optional: Mapping[str, Shape] | None = None,
        *,
        about: Mapping[str, str] | None = None,
        inside: str = "",
    ) -> None:
        super().__init__(words)
        self.required, self.optional = dict(required or {}), dict(optional or {})
        self._checks = tuple(
            (name, shape.sure_types, shape.check, shape.words if name in self.required else "")
            for name, shape in (self.required | self.optional).items()
        )
        self._about = about or {}
        self._inside = inside

    def check(self, value: Any) -> None:
        if type(value) is not dict:
            raise MistakeError("type", self.words, value)
        name = ""
        try:
            for name, sure_types, check, needed in self._checks:
                given = value.get(name)
                if given is None:
                    if needed:
                        raise MistakeError("missing", needed)
                elif type(given) not in sure_types:
                    check(given)
        except MistakeError as mistake:
            mistake.path[:0] = [self._inside, name] if self._inside else [name]
            raise

    def schema(self) -> Json:
        properties = {name: shape.schema() for name, shape in self.required.items()}
        properties |= {name: nullable(shape.schema()) for name, shape in self.optional.items()}
        for name, words in self._about.items():
            properties[name] = {**properties[name], "description": words}
        required = {"required": [*self.required]} if self.required else {}
        return {"type": "object", **required, **({"properties": properties} if properties else {})}


class Each(Shape):
    """A list of these, `least` of them at least."""

    def __init__(self, words: str, item: Shape, least: int = 0) -> None:
        super().__init__(words)
        self._item = item
        self._least = least

    def check(self, value: Any) -> None:
        if type(value) is not list:
            raise MistakeError("type", self.words, value)
        if len(value) < self._least:
            raise MistakeError("empty", self.words, value)
        check, at = self._item.check, 0
        try:
            for at, item in enumerate(value):  # noqa: B007  # where the mistake is
                check(item)
        except MistakeError as mistake:
            mistake.path.insert(0, at)
            raise

    def schema(self) -> Json:
        return {"type": "array", "items": self._item.schema()} | ({"minItems": self._least} if self._least else {})


class Either(Shape):
    """One shape for each type that a value may have."""

    def __init__(self, words: str, shapes: Mapping[type, Shape]) -> None:
        super().__init__(words, tuple(type_ for type_, shape in shapes.items() if type_ in shape.sure_types))
        self._shapes = shapes
        self._checks = {type_: shape.check for type_, shape in shapes.items()}

    def check(self, value: Any) -> None:
        check = self._checks.get(type(value))
        if check is None:
            raise MistakeError("type", self.words, value)
        check(value)

    def schema(self) -> Json:
        return {"anyOf": [shape.schema() for shape in self._shapes.values()]}


class Tagged(Shape):
    """An object whose shape follows from the text in one of its fields.

    `other` is for texts that are not named, `absent` for objects without the field: without these shapes both are
    mistakes, of which `tag_words` says what there is. `any_tag`: what is no text counts as another one.
    """

    def __init__(
        self,
        words: str,
        field: str,
        shapes: Mapping[str, Shape],
        *,
        tag_words: str,
        other: Shape | None = None,
        absent: Shape | None = None,
        any_tag: bool = False,
    ) -> None:
        super().__init__(words)
        self._field = field
        self._shapes = shapes
        self._checks = {tag: shape.check for tag, shape in shapes.items()}
        self._tag_words = tag_words
        self._other, self._absent, self._any_tag = other, absent, any_tag

    def check(self, value: Any) -> None:
        if type(value) is not dict:
            raise MistakeError("type", self.words, value)
        tag: Any = value.get(self._field)
        is_text = type(tag) is str
        check = self._checks.get(tag) if is_text else None
        if check is None:
            shape = self._absent if tag is None else self._other if is_text or self._any_tag else None
            if shape is None:
                kind: Kind = "missing" if tag is None else "type" if self._other else "value"
                raise MistakeError(kind, self._tag_words, tag, self._field)
            check = shape.check
        check(value)

    def schema(self) -> Json:
        by_shape: dict[int, tuple[Shape, list[str]]] = {}
        for tag, shape in self._shapes.items():
            by_shape.setdefault(id(shape), (shape, []))[1].append(tag)
        branches = [self._branch(shape, {"enum": tags}) for shape, tags in by_shape.values()]
        if self._other:
            others: Json = {"not": {"enum": [*self._shapes, None]}}
            branches.append(self._branch(self._other, others if self._any_tag else {"type": "string", **others}))
        if self._absent:
            without = self._absent.schema()
            branches.append({**without, "properties": {self._field: _NULL} | without.get("properties", {})})
        return {"anyOf": branches}

    def _branch(self, shape: Shape, tag: Json) -> Json:
        schema = shape.schema()
        required = dict.fromkeys([self._field, *schema.get("required", ())])
        return {**schema, "required": [*required], "properties": {self._field: tag} | schema.get("properties", {})}


class Chosen(Shape):
    """One of several shapes, by a look at the object."""

    def __init__(self, words: str, shapes: tuple[Shape, ...], choose: Callable[[Json], Shape]) -> None:
        super().__init__(words)
        self._shapes = shapes
        self._choose = choose

    def check(self, value: Any) -> None:
        self._choose(value).check(value)

    def schema(self) -> Json:
        return {"anyOf": [shape.schema() for shape in self._shapes]}


class Unsupported(Shape):
    """What cannot be honoured, `unless` it is this value, which asks for nothing; `words` say what to do instead."""

    def __init__(self, words: str, unless: object) -> None:
        super().__init__(words)
        self._unless = unless

    def check(self, value: Any) -> None:
        if type(value) is not type(self._unless) or value != self._unless:
            raise MistakeError("unsupported", self.words, value)

    def schema(self) -> Json:
        return {"enum": [self._unless, None], "description": f"Not supported. {self.words}"}


def nullable(schema: Json) -> Json:
    """The same or null."""
    if None in schema.get("enum", ()):
        return schema
    if isinstance(schema.get("type"), str) and not schema.keys() & {"enum", "const", "anyOf"}:
        return {**schema, "type": [schema["type"], "null"]}
    if "anyOf" in schema and schema.keys() <= {"anyOf", "description"}:
        return {**schema, "anyOf": [*schema["anyOf"], _NULL]}
    return {"anyOf": [schema, _NULL]}
