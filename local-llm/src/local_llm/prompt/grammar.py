"""JSON that an answer must be, and which tokens keep it that: `response_format` and forced tool calls by llguidance.

Held to in steps, each simpler than the one before: all that can be held of the schema; its outline; the bare kind of
value; any JSON. The first that is within the limits is taken before the answer begins, and when it runs into one in the
middle of the answer, the next goes on from there: every step allows what those before it allow.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import llama_cpp
import numpy as np
import orjson
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from llguidance.llamacpp import lltokenizer_from_vocab
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from numpy.typing import NDArray

from local_llm.dialects.chat_request import ResponseFormat
from local_llm.dialects.errors import BadRequestError
from local_llm.dialects.tools import ForcedCall, shown_schema
from local_llm.prompt.schema_outline import TEXT_LIMIT_CHARACTERS, Outline, TooLargeError, root_type
from local_llm.prompt.schema_values import Json

# Measured on 2 cores with hostile schemas: no token takes more than 90 ms, none of them more than 40 MB.
_LIMITS = LLParserLimits(
    initial_lexer_fuel=500_000,
    step_max_items=20_000,
    max_lexer_states=20_000,  # up to 2 kB each
    max_grammar_size=100_000,
    verbose_errors=False,  # they would hold the schema and the answer
)
# Written as Python does. A choice of spaces is one more thing for a small model to go on with for ever.
_WRITTEN: Any = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "coerce_one_of": True,
    "lenient": True,
}
_ANY_JSON: Json = {}
_NAMES_LIMIT = 500


@dataclass(frozen=True)
class WantedJson:
    """What a format or a forced tool asks for: a schema, or a call of one of these tools."""

    schema: Mapping[str, Any] | None
    call: ForcedCall | None = None

    @property
    def instruction(self) -> str:
        """What the model is told when it cannot be held to all of it; of a forced call it is told anyway."""
        return f"[Answer with JSON only, by this JSON schema: {shown_schema(self.schema or {})}]"


def wanted_json(response_format: ResponseFormat | None, forced: ForcedCall | None) -> WantedJson | None:
    """What a forced tool or a format asks for; None for text. Raises `BadRequestError` for a format without schema."""
    if forced is not None:
        return WantedJson(None, forced)
    if response_format is None or response_format.type == "text":
        return None
    if response_format.type == "json_object":
        return WantedJson({"type": "object"})
    schema = (response_format.json_schema or {}).get("schema")
    if not isinstance(schema, dict):
        raise BadRequestError("response_format.json_schema.schema", "`json_schema.schema` must be an object.")
    return WantedJson(schema)


class Constraint:
    """Which tokens may come next in one answer. Belongs to one thread at a time."""

    def __init__(self, tokenizer: LLTokenizer, step: LLMatcher, simpler: Iterator[Any], *, whole: bool) -> None:
        self.whole = whole  # nothing of what is wanted was left out
        self._tokenizer = tokenizer
        self._matcher = step
        self._simpler = simpler
        self._written: list[int] = []
        self._bits: NDArray[np.int32] = allocate_token_bitmask(1, tokenizer.vocab_size)

    @property
    def complete(self) -> bool:
        """Whether nothing can follow."""
        return self._matcher.is_stopped() and not self._matcher.is_error()

    def allowed(self) -> NDArray[np.bool_]:
        """For each token of the vocabulary, whether it may come next. A new step takes up to 0.4 s, else below 0.1."""
        while True:
            fill_next_token_bitmask(self._matcher, self._bits)
            allowed = np.unpackbits(self._bits.view(np.uint8)[0], bitorder="little", count=self._tokenizer.vocab_size)
            if not self._matcher.is_error() and allowed.any():
                return allowed.view(np.bool_)
            self._simplify()

    def consume(self, token: int) -> None:
        """This token has come."""
        self._written.append(token)
        if not self._matcher.consume_token(token):
            self._simplify()

    def _simplify(self) -> None:
        for schema in self._simpler:
            matcher = _matcher(self._tokenizer, schema)
            if matcher is not None and matcher.consume_tokens(self._written):
                self._matcher = matcher
                return
        raise RuntimeError("the answer is no JSON")  # it was written by these very steps


class Grammars:
    """Makes constraints for one model. From any thread."""

    def __init__(self, llama: llama_cpp.Llama) -> None:
        self._vocabulary: Any = llama._model.vocab  # no public way to the vocabulary
        self._lock = threading.Lock()
        self._made: LLTokenizer | None = None

    def constraint(self, wanted: WantedJson) -> Constraint:
        """Blocking: up to half a second, and as much again for a model's first. Never fails, whatever the schema."""
        tokenizer = self._tokenizer()
        steps = _steps(wanted, tokenizer)
        for schema, whole in steps:
            matcher = _matcher(tokenizer, schema)
            if matcher is not None and _begins(matcher.deep_copy(), tokenizer):
                return Constraint(tokenizer, matcher, (schema for schema, _ in steps), whole=whole)
        raise RuntimeError("llguidance cannot even be held to JSON")

    def _tokenizer(self) -> LLTokenizer:
        """Made when the first JSON is wanted: it takes 15 MB and 0.4 s for 49,000 tokens, 50 MB and 1.2 s for 150,000.

        Without llguidance's tables for long strings, which double that; they save 0.8 ms a token inside strings.
        """
        with self._lock:
            if self._made is None:
                size = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
                ends = [each for each in range(size) if llama_cpp.llama_vocab_is_eog(self._vocabulary, each)]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # it calls llama.cpp by an older name
                    self._made = lltokenizer_from_vocab(self._vocabulary, eos_token=ends, slices=[])
            return self._made


def _steps(wanted: WantedJson, tokenizer: LLTokenizer) -> Iterator[tuple[Any, bool]]:
    """Schemas, each allowing all that those before it allow, and whether they are all that is wanted."""

    def holds(schema: Json) -> bool:
        matcher = _matcher(tokenizer, schema)
        return matcher is not None and _begins(matcher, tokenizer)

    bare: Json = {"type": "object"}
    with suppress(TooLargeError):
        for outline in (Outline(holds), Outline(None)):
            schema = _call(wanted.call, outline) if wanted.call else outline.of(wanted.schema)
            bare = {"type": root_type(schema, outline.definitions) or "object"}
            yield outline.document(schema), not outline.left_out
    if wanted.call and len(wanted.call.tools) > 1:
        yield _any_call(wanted.call), False
    yield bare, False
    yield _ANY_JSON, False


def _call(call: ForcedCall, outline: Outline) -> Json:
    """One tool's arguments, or the name of one of several with its arguments. Raises `TooLargeError`."""
    if len(call.tools) == 1:
        return outline.of_object(call.tools[0].parameters)
    calls = [(tool.name, outline.of_object(tool.parameters)) for tool in call.tools]
    return {"anyOf": [_named_call({"const": name}, arguments) for name, arguments in calls]}


def _any_call(call: ForcedCall) -> Json:
    """The name of one of the tools, of the first of them when they are very many, with any arguments."""
    names, left = [], TEXT_LIMIT_CHARACTERS
    for tool in call.tools[:_NAMES_LIMIT]:
        left -= len(tool.name)
        names += [tool.name] if left >= 0 else []
    return _named_call({"enum": names}, {"type": "object"})


def _named_call(name: Json, arguments: Json) -> Json:
    return {
        "type": "object",
        "properties": {"name": name, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _matcher(tokenizer: LLTokenizer, schema: Any) -> LLMatcher | None:
    """None when llguidance refuses the schema, or it is over the limits. Lets other threads run meanwhile."""
    try:
        grammar = LLMatcher.grammar_from_json_schema(orjson.dumps(schema).decode(), overrides=_WRITTEN)
    except ValueError:
        return None
    matcher = LLMatcher(tokenizer, grammar, log_level=0, limits=_LIMITS)
    return None if matcher.is_error() else matcher


def _begins(matcher: LLMatcher, tokenizer: LLTokenizer) -> bool:
    """Whether a first token can be found, and one behind the mark that objects, arrays and strings begin with."""
    bits = allocate_token_bitmask(1, tokenizer.vocab_size)
    fill_next_token_bitmask(matcher, bits)
    for mark in ("{", "[", '"'):
        if not matcher.is_error() and matcher.try_consume_tokens(tokenizer.greedy_tokenize(mark)[:1]):
            fill_next_token_bitmask(matcher, bits)
            break
    return not matcher.is_error()
