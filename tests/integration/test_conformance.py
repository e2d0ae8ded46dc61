"""The published OpenAPI document against the running stack: no answer that it does not list, whatever is sent.

Schemathesis makes the requests out of the document itself: such as it allows, and such as it forbids. The same ones
each time; `CONFORMANCE_EXAMPLES=300` makes others, and more.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import BaseSchema, Case
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from fake_anthropic.process import FakeAnthropic
from gateway.api_docs.openapi import PATHS, describe
from stack import KEY, Stack

MORE_EXAMPLES = os.environ.get("CONFORMANCE_EXAMPLES")
EXAMPLES = settings(
    max_examples=int(MORE_EXAMPLES or 10),  # beside those of the coverage phase, up to 600 for each operation
    derandomize=MORE_EXAMPLES is None,
    database=None,
    deadline=None,  # the local model takes its time
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no finding
)
CONFIG: dict[str, Any] = {
    "request-timeout": 60,
    "operations": [{"include-path": "/status/events", "max-stream-events": 1}],  # that stream has no end
}
NOBODYS_METHODS = ("TRACE", "QUERY")
ANSWER_TOKENS = 4
LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


def strict_schema() -> BaseSchema:
    """What is published, except that Claude may refuse in any way: true, but it would excuse refusals of ours, too."""
    document = describe("Pilot Light", "0")
    paths = {
        path: {
            method: {**operation, "responses": {**operation["responses"]}}
            for method, operation in item.items()
            if method != "servers"
        }
        for path, item in document["paths"].items()
    }
    for item in paths.values():
        for operation in item.values():
            operation["responses"].pop("4XX", None)
    return schemathesis.openapi.from_dict({**document, "paths": paths}, config=SchemathesisConfig.from_dict(CONFIG))


SCHEMA = strict_schema()


@pytest.fixture(scope="module")
def anthropic_apart() -> Iterator[FakeAnthropic]:
    """A stand-in for Anthropic that is this module's own."""
    with FakeAnthropic() as fake:
        yield fake


@pytest.fixture(scope="module")
def stack(anthropic_apart: FakeAnthropic) -> Iterator[Stack]:
    """A stack whose local model is brief."""
    with Stack(
        ANTHROPIC_API_KEY=KEY,
        ANTHROPIC_BASE_URL=anthropic_apart.base_url,
        CLAUDE_PROBE_SECONDS="1",
        LOCAL_MAX_TOKENS=str(ANSWER_TOKENS),
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def stack_with_keys() -> Iterator[Stack]:
    """A stack that wants to see a key."""
    with Stack(PILOT_KEYS="correct-horse-battery-1") as stack:
        yield stack


@pytest.fixture(scope="module", params=["claude", "local"])
def brain(request: pytest.FixtureRequest, stack: Stack, anthropic_apart: FakeAnthropic) -> str:
    """Who answers."""
    anthropic_apart.reset()
    if request.param == "local":
        anthropic_apart.script(status=529)
        stack.ask()
    stack.wait_for_backend(request.param, 70)
    return str(request.param)


def test_what_is_tested_is_what_is_published(stack: Stack) -> None:
    """Through the edge, and with its version."""
    published = stack.client.get("/openapi.json").json()
    assert published["openapi"] == "3.2.0"
    assert published | {"info": {}} == describe("", "") | {"info": {}}


@pytest.mark.parametrize("path", [path for path, item in PATHS.items() if "post" in item])
def test_every_example_is_answered(stack: Stack, brain: str, path: str) -> None:
    """As the document shows it, by whichever brain is on, in one piece or as events; also where else it is served.

    Under `/claude` it is refused when that is not Claude.
    """
    content = PATHS[path]["post"]["requestBody"]["content"]["application/json"]
    for server in PATHS[path].get("servers", [{"url": "/"}]):
        for name, example in content["examples"].items():
            answer = stack.client.post(server["url"].rstrip("/") + path, json=example["value"])
            if brain == "local" and server["url"].startswith("/claude"):
                assert answer.status_code == 503
                continue
            assert answer.status_code == 200
            assert answer.headers["x-served-by"] == brain
            assert ("text/event-stream" in answer.headers["content-type"]) == (name == "streamed")


def be_brief(case: Case[Any]) -> None:
    """A model that writes a billion words would prove nothing more."""
    if isinstance(case.body, dict):
        for name in LENGTHS:
            if isinstance(length := case.body.get(name), int) and length > ANSWER_TOKENS:
                case.body[name] = ANSWER_TOKENS


def excluded(case: Case[Any]) -> list[Any]:
    """The checks that do not hold, each for its reason."""
    if case.method == "POST":
        return [positive_data_acceptance]  # the document lists what the gateway checks; the brains are stricter
    if case.path == "/v1/models":
        # Which ids there are is not in the document, and OpenAI's dialect has no pages: it ignores what asks for one.
        return [positive_data_acceptance, negative_data_rejection]
    return []


@pytest.mark.timeout(600)  # some 600 requests to a path, and the local model takes its time for each
@SCHEMA.parametrize()
@EXAMPLES
def test_every_answer_is_documented(case: Case[Any], stack: Stack, brain: str) -> None:
    """By status, type, headers and shape; and one client's nonsense changes nobody's brain."""
    be_brief(case)
    response = case.call_and_validate(stack.url, excluded_checks=excluded(case))
    if brain == "claude":
        assert "x-fallback-reason" not in response.headers
    elif response.status_code == 200 and case.method == "POST":
        assert response.headers["x-served-by"] == ["local"]


@SCHEMA.parametrize()
@EXAMPLES
def test_without_a_key_there_is_nothing_but_401(case: Case[Any], stack_with_keys: Stack) -> None:
    """In the shape that is documented, and before anything but the method is looked at."""
    response = case.call_and_validate(stack_with_keys.url, excluded_checks=[positive_data_acceptance])
    assert response.status_code == (405 if response.request.method in NOBODYS_METHODS else 401)
