"""What is declared of a request: the check, and the published schema, which follows from it."""

import copy
from typing import Any

import jsonschema_rs
import pytest

from gateway.dialects.chat_completions.declaration import CHAT_COMPLETION
from gateway.dialects.chat_completions.other_forms import in_own_form
from gateway.dialects.messages.declaration import COUNT_TOKENS, MESSAGES
from gateway.dialects.responses.declaration import RESPONSE
from gateway.dialects.shapes import Each, Either, Fields, Leaf, MistakeError, Shape, Tagged, Unsupported
from parity import chat_bodies, messages_bodies, responses_bodies

TEXT = Leaf("a string", str, {"type": "string"})
SHORT = Leaf("a string", str, {"type": "string", "maxLength": 2}, lambda value: len(value) < 3, "at most 2 characters")
OBJECT = Leaf("an object", dict, {"type": "object"})
ITEM = Tagged("an object", "kind", {"word": Fields("a word", {"text": SHORT}, inside="hidden")}, tag_words="a kind")
OPEN = Tagged(
    "an object", "kind", {"word": Fields("a word", {"text": TEXT})}, tag_words="a kind", other=OBJECT, absent=OBJECT
)
ASKED = Fields(
    "an object",
    {"items": Each("a list", ITEM, least=1)},
    {"words": Either("words", {str: SHORT, list: Each("a list", TEXT)}), "open": OPEN, "kept": Unsupported("No.", "")},
)
WORD = {"kind": "word", "text": "ab"}

CASES: list[tuple[str, Any, tuple[str, list[str | int], str] | None]] = [
    # why it exists, value, kind, path and words of the mistake
    ("right", {"items": [WORD], "more": 1}, None),
    ("null is absent", {"items": [WORD], "words": None, "open": None, "kept": None}, None),
    ("no object", [], ("type", [], "an object")),
    ("something missing", {}, ("missing", ["items"], "a list")),
    ("too few", {"items": []}, ("empty", ["items"], "a list")),
    ("no list", {"items": {}}, ("type", ["items"], "a list")),
    ("another type", {"items": [5]}, ("type", ["items", 0], "an object")),
    ("no tag", {"items": [WORD, {}]}, ("missing", ["items", 1, "kind"], "a kind")),
    ("a tag of no text", {"items": [{"kind": 5}]}, ("value", ["items", 0, "kind"], "a kind")),
    ("an unknown tag", {"items": [{"kind": "x"}]}, ("value", ["items", 0, "kind"], "a kind")),
    (
        "too long",
        {"items": [{**WORD, "text": "abc"}]},
        ("value", ["items", 0, "hidden", "text"], "at most 2 characters"),
    ),
    ("text missing", {"items": [{"kind": "word"}]}, ("missing", ["items", 0, "hidden", "text"], "a string")),
    ("one of two types", {"items": [WORD], "words": ["abc"]}, None),
    ("the rule of one of them", {"items": [WORD], "words": "abc"}, ("value", ["words"], "at most 2 characters")),
    ("neither of them", {"items": [WORD], "words": 5}, ("type", ["words"], "words")),
    ("an open tag", {"items": [WORD], "open": {"kind": "x", "text": 5}}, None),
    ("an open tag, absent", {"items": [WORD], "open": {"text": 5}}, None),
    (
        "an open tag, known",
        {"items": [WORD], "open": {"kind": "word", "text": 5}},
        ("type", ["open", "text"], "a string"),
    ),
    ("an open tag of no text", {"items": [WORD], "open": {"kind": 5}}, ("type", ["open", "kind"], "a kind")),
    ("not supported", {"items": [WORD], "kept": "x"}, ("unsupported", ["kept"], "No.")),
    ("asked for nothing", {"items": [WORD], "kept": ""}, None),
]


@pytest.mark.parametrize(("why", "value", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_a_mistake_has_its_place(why: str, value: Any, wanted: tuple[str, list[str | int], str] | None) -> None:
    """And its kind, for each dialect to say in its own words; the schema judges the same."""
    found = None
    try:
        ASKED.check(value)
    except MistakeError as mistake:
        found = (mistake.kind, mistake.path, mistake.wanted)
    assert found == wanted
    assert jsonschema_rs.is_valid(ASKED.schema(), value) is (wanted is None)


DECLARED: list[tuple[Shape, Any]] = [
    (CHAT_COMPLETION, chat_bodies),
    (MESSAGES, messages_bodies),
    (COUNT_TOKENS, messages_bodies),
    (RESPONSE, responses_bodies),
]
OTHERS: tuple[Any, ...] = (None, 5, "x", [], {}, [None])


@pytest.mark.parametrize(("shape", "table"), DECLARED, ids=["chat", "messages", "count", "responses"])
def test_check_and_document_agree(shape: Shape, table: Any) -> None:
    """Over every body that is known, and over each of them with one value exchanged for one of another kind."""
    schema = jsonschema_rs.validator_for(shape.schema())
    for body in (*table.ANSWERED.values(), *table.REFUSED.values()):
        for changed in (body, *(body | {name: other} for name in body for other in OTHERS)):
            brought = copy.deepcopy(changed)
            if shape is CHAT_COMPLETION:
                in_own_form(brought)
            try:
                shape.check(brought)
            except MistakeError:
                assert not schema.is_valid(changed), changed
            else:
                assert schema.is_valid(changed), changed
