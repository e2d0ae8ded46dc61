"""`response_format` and forced tool calls to a llama.cpp grammar, proved to work before the response head goes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import llama_cpp
import orjson
from llama_cpp.llama_grammar import LLAMA_GRAMMAR_DEFAULT_ROOT, LlamaGrammar, SchemaConverter

from local_llm.errors import BadRequestError
from local_llm.request import ResponseFormat
from local_llm.tools import ForcedCall

_SIZE_LIMIT_BYTES = 64_000  # a grammar is unrolled before it is used: a schema must not be a way to fill the memory


@dataclass(frozen=True)
class WantedJson:
    """JSON the answer must be, and the field of the request that says so."""

    schema: Mapping[str, Any]
    param: str


def wanted_json(response_format: ResponseFormat | None, forced: ForcedCall | None) -> WantedJson | None:
    """What a forced tool or a format asks for; None for text. Raises `BadRequestError` for a format without schema."""
    if forced is not None:
        return WantedJson(forced.schema, "tool_choice")
    if response_format is None or response_format.type == "text":
        return None
    if response_format.type == "json_object":
        # llama.cpp's own JSON grammar lets a small model write blank lines until its tokens are used up.
        return WantedJson({"type": "object"}, "response_format")
    param = "response_format.json_schema.schema"
    schema = (response_format.json_schema or {}).get("schema")
    if not isinstance(schema, dict):
        raise BadRequestError(param, "`json_schema.schema` must be an object.")
    return WantedJson(schema, param)


def grammar_for(wanted: WantedJson, llama: llama_cpp.Llama) -> LlamaGrammar:
    """The grammar that forces the JSON. Raises `BadRequestError` for an unusable schema."""
    try:
        grammar = LlamaGrammar.from_string(_gbnf(wanted.schema))
    except Exception as error:  # the converter raises whatever a malformed schema leads it into
        raise _unusable(wanted) from error
    if len(grammar._grammar) > _SIZE_LIMIT_BYTES or not _accepted(grammar, llama):
        raise _unusable(wanted)
    return grammar


class _Converter(SchemaConverter):
    """llama_cpp's converter, with its constants and property names put right.

    It writes them as JSON in ASCII and escapes only their quotes: an emoji became two broken halves, and a quote or a
    newline inside ended the grammar's own literal.
    """

    def _format_literal(self, literal: str) -> str:
        with suppress(ValueError):  # a piece of a pattern is not JSON
            literal = orjson.dumps(json.loads(literal)).decode()
        return '"' + literal.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


def _gbnf(schema: Any) -> str:
    options = {"prop_order": {}, "allow_fetch": False, "dotall": False, "raw_pattern": False}
    converter: Any = _Converter(**options)  # type: ignore[no-untyped-call]  # as llama_cpp has it
    converter.visit(converter.resolve_refs(schema, "stdin"), "")
    return str(converter.format_grammar())


def _accepted(grammar: LlamaGrammar, llama: llama_cpp.Llama) -> bool:
    """Whether llama.cpp can parse it: generating with one it cannot would end the process."""
    sampler = llama_cpp.llama_sampler_init_grammar(
        llama._model.vocab,  # no public way to the vocabulary
        grammar._grammar.encode(),
        LLAMA_GRAMMAR_DEFAULT_ROOT.encode(),
    )
    if not sampler:
        return False
    llama_cpp.llama_sampler_free(sampler)
    return True


def _unusable(wanted: WantedJson) -> BadRequestError:
    what = "this tool's parameters" if wanted.param == "tool_choice" else "this schema"
    return BadRequestError(wanted.param, f"The local model cannot be held to {what}; use a simpler JSON schema.")
