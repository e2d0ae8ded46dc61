"""Whatever the gateway lets in, both backends answer: bodies that nobody thought of.

Values of every kind in every field, and histories, parts and tools put together at random.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from parity import chat_bodies, messages_bodies, responses_bodies
from parity.both_ways import CHAT, MESSAGES, RESPONSES, statuses

Json = dict[str, Any]

# Always the same examples: a run that fails can be run again, and a chance find does not stop somebody else's work.
_steady = settings(max_examples=300, deadline=None, derandomize=True, database=None)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)

_OF_CHAT = (
    *("model", "temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "n", "stop", "seed"),
    *("presence_penalty", "frequency_penalty", "repeat_penalty", "logit_bias", "logprobs", "user", "metadata", "store"),
    *(
        "safety_identifier",
        "stream",
        "stream_options",
        "reasoning_effort",
        "reasoning",
        "thinking",
        "tools",
        "tool_choice",
    ),
    *("parallel_tool_calls", "response_format", "service_tier", "functions", "function_call", "modalities", "tomorrow"),
)
_OF_RESPONSES = (
    *(
        "model",
        "temperature",
        "top_p",
        "max_output_tokens",
        "instructions",
        "reasoning",
        "text",
        "tools",
        "tool_choice",
    ),
    *("parallel_tool_calls", "truncation", "user", "metadata", "include", "store", "top_logprobs", "tomorrow"),
)
_OF_MESSAGES = (
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "metadata",
    "thinking",
    "service_tier",
    "tools",
    "system",
)


def pieces(bodies: dict[str, Json], field: str) -> st.SearchStrategy[Any]:
    """One value of a field (`messages`, `input`: an item of it) out of a table's bodies."""
    found = [body[field] for body in bodies.values() if field in body]
    return st.sampled_from([each for value in found for each in (value if isinstance(value, list) else [value])])


def bodies(of: dict[str, Json], items: str, fields: tuple[str, ...], **fixed: Any) -> st.SearchStrategy[Json]:
    """Items of several bodies in one, and some of the fields: with a table's value, or with anything."""
    known = {name: [body[name] for body in of.values() if name in body] for name in fields}
    values = {name: st.sampled_from(known[name]) | anything if known[name] else anything for name in fields}
    some = st.lists(st.sampled_from(fields), max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: values[name] for name in names})
    )
    return st.builds(
        lambda said, more: {**fixed, **more, items: said}, st.lists(pieces(of, items), min_size=1, max_size=6), some
    )


def check_both(dialect: Any, body: Json) -> None:
    claude, local = statuses(dialect, body)
    assert claude == local, body


@_steady
@given(bodies(chat_bodies.ANSWERED, "messages", _OF_CHAT, model="pilot"))
def test_chat_completions(body: Json) -> None:
    """The same status from both, whatever is put together."""
    check_both(CHAT, body)


@_steady
@given(bodies(responses_bodies.ANSWERED, "input", _OF_RESPONSES, model="pilot"))
def test_responses(body: Json) -> None:
    """The same status from both, whatever is put together."""
    check_both(RESPONSES, body)


@_steady
@given(bodies(messages_bodies.ANSWERED, "messages", _OF_MESSAGES, model="claude-haiku-4-5", max_tokens=64))
def test_messages(body: Json) -> None:
    """Claude judges more than a shape here: but what it answers, the local model answers."""
    claude, local = statuses(MESSAGES, body)
    assert local == 200 or claude != 200, body
