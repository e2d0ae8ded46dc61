"""JSON that an answer is held to, with the real vocabulary and without a model: tokens are chosen by rule."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
import pytest
from llama_cpp import Llama
from numpy.typing import NDArray

from local_llm.dialects.tools import ForcedCall, Tool
from local_llm.models.weights import embedded
from local_llm.prompt.grammar import Constraint, Grammars, WantedJson

Json = dict[str, Any]
TEXT = {"type": "string"}
ENOUGH_TOKENS = 120
MEMORY_LIMIT_BYTES = 60 << 20
Allowed = NDArray[np.bool_]
Choice = Callable[[Allowed], int]


class Vocabulary:
    """Grammars of the embedded model's vocabulary, and its tokens' bytes."""

    def __init__(self) -> None:
        self._llama = Llama(str(embedded().path), vocab_only=True, verbose=False)
        self.grammars = Grammars(self._llama)
        tokenizer = self.grammars._tokenizer()
        self.bytes = [tokenizer.decode_bytes([token]) for token in range(tokenizer.vocab_size)]
        self.ends = frozenset(tokenizer.eos_tokens)
        self._closing = [self.bytes.index(mark) for mark in (b'"', b"}", b"]", b"0", b"a")]

    def close(self) -> None:
        self._llama.close()

    def shortly(self, allowed: Allowed) -> int:
        """Comes to an end as soon as it may."""
        return next((token for token in (*self.ends, *self._closing) if allowed[token]), int(allowed.argmax()))

    def at_length(self, seed: int = 1) -> Choice:
        """Anything, and rather nothing that ends a value."""
        dice = np.random.default_rng(seed)

        def choice(allowed: Allowed) -> int:
            some = [int(token) for token in dice.choice(np.flatnonzero(allowed), 8)]
            lasting = (each for each in some if each not in self.ends and self.bytes[each][:1] not in b'"]}')
            return next(lasting, some[0])

        return choice

    def written(self, constraint: Constraint, choice: Choice, tokens: int = ENOUGH_TOKENS) -> str:
        """What is written by a choice among the allowed tokens; to the end, or so many of them."""
        written: list[bytes] = []
        while not constraint.complete and len(written) < tokens:
            token = choice(constraint.allowed())
            constraint.consume(token)
            if token in self.ends:
                break
            written.append(self.bytes[token])
        return b"".join(written).decode(errors="replace")


@pytest.fixture(scope="module")
def vocabulary() -> Iterator[Vocabulary]:
    made = Vocabulary()
    yield made
    made.close()


def wanted(schema: Json, kind: str = "format") -> WantedJson:
    tools = (Tool("look", "", schema), Tool("touch", "", schema))
    return WantedJson(schema) if kind == "format" else WantedJson(None, ForcedCall(tools[: 1 if kind == "tool" else 2]))


def nested(depth: int) -> Json:
    schema: Json = TEXT
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


HOSTILE: dict[str, Json] = {
    "150 optional letters": {"type": "string", "pattern": "^" + "a?" * 150 + "$"},
    "500 optional letters": {"type": "string", "pattern": "^" + "a?" * 500 + "$"},
    "500 optional and 500 letters": {"type": "string", "pattern": "^" + "a?" * 500 + "a" * 500 + "$"},
    "repeated repetition": {"type": "string", "pattern": "^(((a{1,100}){1,100}){1,100}){1,100}$"},
    "many states": {"type": "string", "pattern": "(.*a){20}.{30}b"},
    "many states more": {"type": "string", "pattern": "(a|b)*a(a|b){40}"},
    "look-around": {"type": "string", "pattern": "^(?=a)b(?!c)"},
    "no pattern": {"type": "string", "pattern": "^(((("},
    "100 patterns": {
        "type": "array",
        "prefixItems": [{"type": "string", "pattern": f"^{n}(a?){{99}}"} for n in range(100)],
    },
    "names by patterns": {"type": "object", "patternProperties": {f"^{'a?' * 99}{n}$": TEXT for n in range(100)}},
    "minLength": {"type": "string", "minLength": 100_000_000},
    "maxLength": {"type": "string", "minLength": 3, "maxLength": 100_000_000},
    "minItems": {"type": "array", "minItems": 100_000_000, "items": {"type": "integer"}},
    "900 values": {"enum": ["x" * 200 + f"{n * 7919 % 10_000:04}" * 3 for n in range(900)]},
    "20,000 values": {"enum": [f"value {n}" for n in range(20_000)]},
    "a value of a megabyte": {"const": "z" * 1_000_000},
    "a deep value": {"const": nested(200)},
    "range": {"type": "integer", "minimum": -(10**30), "maximum": 10**30},
    "divisor": {"type": "integer", "multipleOf": 99_991},
    "not": {"not": TEXT},
    "never": {"type": "object", "properties": {"x": False}, "required": ["x"]},
    "elsewhere": {"$ref": "https://example.com/x"},
    "itself": {"$ref": "#"},
    "without an end": {"type": "object", "properties": {"x": {"$ref": "#"}}, "required": ["x"]},
    "doubling references": {
        "$ref": "#/$defs/d40",
        "$defs": {"d0": TEXT}
        | {
            f"d{n}": {"type": "object", "properties": {name: {"$ref": f"#/$defs/d{n - 1}"} for name in "ab"}}
            for n in range(1, 41)
        },
    },
    "all of many": {
        "allOf": [{"anyOf": [{"properties": {f"k{n}": {"const": k}}} for k in range(4)]} for n in range(12)]
    },
    "any of many": {
        "anyOf": [{"properties": {f"k{k}": {"pattern": f"a{{{k}}}"} for k in range(19)}} for _ in range(100)]
    },
    "deep": nested(400),
    "2,000 properties": {"type": "object", "properties": {f"k{n}": TEXT for n in range(2000)}},
    "500 properties": {"type": "object", "properties": {f"k{n}": TEXT for n in range(500)}},
    "100,000 required": {"type": "object", "required": [f"k{n}" for n in range(100_000)]},
    "a tuple of 5,000": {"type": "array", "prefixItems": [TEXT] * 5000},
    "200 formats": {
        "type": "object",
        "properties": {f"k{n}": {"type": "string", "format": "date-time" if n % 2 else "email"} for n in range(200)},
    },
    "nothing right": {"type": "strin", "properties": [1], "required": "x", "enum": [], "anyOf": 7, "minLength": -1},
}


# What takes more tokens than a test should.
LONG = (
    *("100 patterns", "500 optional and 500 letters", "many states", "many states more"),
    *("200 formats", "500 properties", "doubling references", "deep"),
)


@pytest.mark.parametrize("kind", ["format", "tool", "tools"])
@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_of_any_schema_is_bounded(vocabulary: Vocabulary, name: str, kind: str) -> None:
    """Time to prepare, time of each token, and memory, in CPU seconds; and what comes to its end is JSON."""
    before = psutil.Process().memory_info().rss
    began = time.thread_time()
    constraint = vocabulary.grammars.constraint(wanted(HOSTILE[name], kind))
    assert time.thread_time() - began < 1.5
    slowest, choice = 0.0, vocabulary.at_length()

    def watched(allowed: Allowed) -> int:
        nonlocal began, slowest
        slowest = max(slowest, time.thread_time() - began)
        began = time.thread_time()
        return choice(allowed)

    began = time.thread_time()
    vocabulary.written(constraint, watched)
    assert slowest < 0.6, "a rebuild and a token together"
    assert psutil.Process().memory_info().rss - before < MEMORY_LIMIT_BYTES
    shortest = vocabulary.written(vocabulary.grammars.constraint(wanted(HOSTILE[name], kind)), vocabulary.shortly)
    if name not in LONG:
        value = json.loads(shortest)
        assert kind == "format" or isinstance(value, dict)
        assert kind != "tools" or value["name"] in ("look", "touch")


@pytest.mark.parametrize(
    ("schema", "right"),
    [
        ({"enum": ["red", 'gr"een', 3, None]}, lambda value: value in ("red", 'gr"een', 3, None)),
        ({"const": 'naïve 😀👩‍🚀 日本 "x" \\ \n'}, lambda value: value == 'naïve 😀👩‍🚀 日本 "x" \\ \n'),
        ({"type": "integer", "minimum": 10, "maximum": 12}, lambda value: value in (10, 11, 12)),
        ({"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 30}, lambda value: value in (7, 14, 21, 28)),
        ({"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2}$"}, lambda value: len(value) == 6 and value[3] == "-"),
        ({"type": "string", "minLength": 2, "maxLength": 5}, lambda value: 2 <= len(value) <= 5),
        ({"type": "string", "format": "date"}, lambda value: len(value) == 10),
        (
            {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
            lambda value: 2 <= len(value) <= 3,
        ),
        (
            {"type": "array", "prefixItems": [{"const": 1}, {"const": 2}], "items": False},
            lambda value: value in ([], [1], [1, 2]),
        ),
        (
            {
                "type": "object",
                "properties": {'b"\n😀\\': {"const": 1}, "a": {"const": 2}},
                "required": ["a", 'b"\n😀\\'],
            },
            lambda value: list(value) == ['b"\n😀\\', "a"],
        ),
        (
            {"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"required": ["b"]}]},
            lambda value: value["a"] == 1 and "b" in value,
        ),
        ({"oneOf": [{"const": 1}, {"const": "x"}]}, lambda value: value in (1, "x")),
        ({"type": "object"}, lambda value: isinstance(value, dict)),
    ],
)
def test_what_can_be_held_is_held(vocabulary: Vocabulary, schema: Json, right: Callable[[Any], bool]) -> None:
    """Whatever is chosen, as far as it comes to an end."""
    for choice in (vocabulary.shortly, vocabulary.at_length(1), vocabulary.at_length(2)):
        constraint = vocabulary.grammars.constraint(WantedJson(schema))
        assert constraint.whole
        written = vocabulary.written(constraint, choice)
        if constraint.complete or choice == vocabulary.shortly:
            assert right(json.loads(written)), written


def test_nothing_to_go_on_with_for_ever(vocabulary: Vocabulary) -> None:
    """No blank lines, and no properties that nobody asked for: spaces are those that Python writes."""
    schema = {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": [1, 2]}}, "required": ["a", "b"]}
    for seed in range(5):
        written = vocabulary.written(vocabulary.grammars.constraint(WantedJson(schema)), vocabulary.at_length(seed))
        assert written == '{"a": 1, "b": [1, 2]}'


def test_a_limit_in_mid_answer(vocabulary: Vocabulary) -> None:
    """The answer goes on by the outline, and is JSON with the right names in the end."""
    schema = {
        "type": "object",
        "properties": {"text": HOSTILE["repeated repetition"], "count": {"type": "integer"}},
        "required": ["text", "count"],
    }
    constraint = vocabulary.grammars.constraint(WantedJson(schema))
    assert constraint.whole
    choice = vocabulary.at_length()
    begun = vocabulary.written(constraint, choice, 60)
    assert "text" in begun
    rest = vocabulary.written(constraint, vocabulary.shortly)
    value = json.loads(begun + rest)
    assert list(value) == ["text", "count"]
    assert set(value["text"]) - {"a"}, "what is no more held to the pattern"


def test_several_tools_keep_their_references_apart(vocabulary: Vocabulary) -> None:
    """`#/$defs/x` is another thing in each tool's parameters."""

    def tool(name: str, value: str) -> Tool:
        schema = {"properties": {"v": {"$ref": "#/$defs/x"}}, "required": ["v"], "$defs": {"x": {"const": value}}}
        return Tool(name, "", schema)

    calls = ForcedCall((tool("one", "first"), tool("two", "second")))
    for seed in range(6):
        constraint = vocabulary.grammars.constraint(WantedJson(None, calls))
        value = json.loads(vocabulary.written(constraint, vocabulary.at_length(seed)))
        assert value in (
            {"name": "one", "arguments": {"v": "first"}},
            {"name": "two", "arguments": {"v": "second"}},
        )


def test_very_many_tools(vocabulary: Vocabulary) -> None:
    """Too many to hold their arguments: one of them is named, and the arguments are an object."""
    calls = ForcedCall(tuple(Tool(f"tool_{n}", "", nested(5)) for n in range(3000)))
    constraint = vocabulary.grammars.constraint(WantedJson(None, calls))
    assert not constraint.whole
    value = json.loads(vocabulary.written(constraint, vocabulary.shortly))
    assert value["name"].startswith("tool_")
    assert isinstance(value["arguments"], dict)


def test_others_go_on_meanwhile(vocabulary: Vocabulary) -> None:
    """Preparing the dearest schema stops no other thread for long: the event loop runs in one."""
    longest, running = 0.0, True

    def tick() -> None:
        nonlocal longest
        while running:
            began = time.monotonic()
            time.sleep(0.001)
            longest = max(longest, time.monotonic() - began)

    ticking = threading.Thread(target=tick)
    ticking.start()
    for name in ("20,000 values", "500 properties", "any of many", "100,000 required"):
        vocabulary.grammars.constraint(wanted(HOSTILE[name]))
    running = False
    ticking.join()
    assert longest < 0.5
