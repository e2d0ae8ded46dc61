"""The body of `POST /v1/chat/completions`, checked field by field.

llama_cpp.server's own type is not used: it knows no developer and tool roles as clients send them, reads "yes" as true,
and answers in FastAPI's error shape.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local_llm.dialects.errors import BadRequestError
from local_llm.dialects.tools import ForcedCall, Tool, forced_call, tools_in

_Penalty = Annotated[float, Field(ge=-2, le=2)]
_Stop = Annotated[str, Field(max_length=256)]
_Body = TypeVar("_Body", bound=BaseModel)


class StreamOptions(BaseModel):
    """OpenAI's `stream_options`."""

    model_config = ConfigDict(strict=True)
    include_usage: bool | None = None


class ResponseFormat(BaseModel):
    """OpenAI's `response_format`."""

    model_config = ConfigDict(strict=True)
    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class ChatRequest(BaseModel):
    """What this service understands of a request; other fields are let pass and have no effect.

    A null counts as not given, as with OpenAI.
    """

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    messages: list[Any] = Field(min_length=1)
    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=0, le=1_000_000)
    min_p: float | None = Field(None, ge=0, le=1)
    seed: int | None = None
    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    repeat_penalty: float | None = Field(None, gt=0, le=10)
    response_format: ResponseFormat | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None

    @property
    def forced_call(self) -> ForcedCall | None:
        """The tool call that `tool_choice` forces. Raises `BadRequestError` when it cannot be had."""
        return None if self.tool_choice in (None, "auto", "none") else forced_call(self._tools, self.tool_choice)

    @property
    def offered_tools(self) -> tuple[Tool, ...]:
        """The tools the model may call if it wants. Raises `BadRequestError`."""
        return () if self.tool_choice == "none" else self._tools

    @property
    def _tools(self) -> tuple[Tool, ...]:
        return tools_in(self.tools or ())

    @property
    def stops(self) -> list[str]:
        """The stop sequences as a list."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

    @property
    def wanted_tokens(self) -> int | None:
        """The length the client names, by its new or its old field."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return bool(self.stream_options and self.stream_options.include_usage)


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
        field = ".".join(str(part) for part in first["loc"][: 1 if first["loc"][0] == "stop" else None])
        what = "is required" if first["type"] == "missing" else f"is wrong: {first['msg']}"
        raise BadRequestError(field, f"`{field}` {what}.") from None
