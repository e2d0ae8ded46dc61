"""The body of `POST /v1/chat/completions`: what this service understands of it.

llama_cpp.server's own type is not used: it knows no developer and tool roles as clients send them, and answers in
FastAPI's error shape. A shape is refused by the gateway, the same for both backends; here the best is made of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from local_llm.dialects.errors import BadRequestError
from local_llm.dialects.numbers import Length, Penalty, Probability, RepeatPenalty, Seed, Temperature, TopK
from local_llm.dialects.tools import ForcedCall, Tool, allowed_tools, forced_call, tools_in

_STOPS, _STOP_CHARACTERS = 16, 256
_FORMATS = ("text", "json_object", "json_schema")
_Body = TypeVar("_Body", bound=BaseModel)


class ResponseFormat(BaseModel):
    """OpenAI's `response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Any = None


def stops_in(given: Any) -> list[str]:
    """Stop sequences, one or a list of them, as many and as long as can be looked for at every token."""
    listed = given if isinstance(given, list) else [given]
    return [stop[:_STOP_CHARACTERS] for stop in listed if isinstance(stop, str) and stop][:_STOPS]


def _known_format(given: Any) -> Any:
    return None if isinstance(given, dict) and given.get("type") not in _FORMATS else given


class ChatRequest(BaseModel):
    """What this service understands of a request; other fields are let pass and have no effect.

    A null counts as not given, as with OpenAI.
    """

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    messages: list[Any] = Field(min_length=1)
    model: str | None = None
    stream: bool | None = None
    stream_options: Any = None
    max_tokens: Length = None
    max_completion_tokens: Length = None
    temperature: Temperature = None
    top_p: Probability = None
    top_k: TopK = None
    min_p: Probability = None
    seed: Seed = None
    stop: Annotated[list[str], BeforeValidator(stops_in)] = []
    presence_penalty: Penalty = None
    frequency_penalty: Penalty = None
    repeat_penalty: RepeatPenalty = None
    response_format: Annotated[ResponseFormat | None, BeforeValidator(_known_format)] = None
    tools: list[Any] | None = None
    tool_choice: Any = None

    @property
    def forced_call(self) -> ForcedCall | None:
        """The tool call that `tool_choice` forces, as far as it can be had here. Raises `BadRequestError`."""
        return None if self.tool_choice in (None, "auto", "none") else forced_call(self._tools, self.tool_choice)

    @property
    def offered_tools(self) -> tuple[Tool, ...]:
        """The tools the model may call if it wants. Raises `BadRequestError`."""
        return () if self.tool_choice == "none" else self._tools

    @property
    def _tools(self) -> tuple[Tool, ...]:
        return allowed_tools(tools_in(self.tools or ()), self.tool_choice)

    @property
    def stops(self) -> list[str]:
        """The stop sequences."""
        return self.stop

    @property
    def wanted_tokens(self) -> int | None:
        """The length the client names, by its new or its old field."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return isinstance(self.stream_options, dict) and bool(self.stream_options.get("include_usage"))


def parse(body: bytes) -> ChatRequest:
    """Check a body. Raises `BadRequestError` naming the first field that is wrong."""
    return checked(ChatRequest, body)


def checked(kind: type[_Body], body: bytes) -> _Body:
    """A JSON body as an object of this kind. Raises `BadRequestError` naming the first field that is wrong."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(None, f"The body is not valid JSON: line {error.lineno}, column {error.colno}.") from None
    if not isinstance(data, dict):
        raise BadRequestError(None, "The body must be a JSON object.")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        what = "is required" if first["type"] == "missing" else f"is wrong: {first['msg']}"
        raise BadRequestError(field, f"`{field}` {what}.") from None
