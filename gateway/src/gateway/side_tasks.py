"""Side tasks: requests that a client makes by itself and whose answer it keeps as data, such as a title, or a summary
that replaces the conversation. They are Claude's or nobody's. Pure; the rows are in side_tasks.toml.
"""

import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.dialects.interface import Json, Request

_SEARCHED_CHARACTERS = 4096  # at either end of a text: it may hold a whole conversation
_WHITE_SPACE_CHARACTERS = 64  # so much of it may stand around a text
_SEARCHED_PARTS = 8  # at either end of a message
_KEY_CHARACTERS = 16  # the rows are found by these: a request costs a few microseconds, however many rows there are

Place = Literal["system", "last_user", "first_user"]
_PLACES: tuple[Place, ...] = get_args(Place)

_STRICT = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class SideTask:
    """`answer`: the status of the refusal that leaves the client's data whole."""

    client: str
    task: str
    answer: int


class TextShape(BaseModel):
    """How one text looks; white space at its ends does not count. `contains`: each of these, near either end."""

    model_config = _STRICT
    begins: str = ""
    ends: str = ""
    contains: tuple[str, ...] = ()

    @field_validator("contains", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    def fits(self, text: str) -> bool:
        """Whether the text looks so."""
        head = text[: len(self.begins) + _WHITE_SPACE_CHARACTERS].lstrip()
        tail = text[-len(self.ends) - _WHITE_SPACE_CHARACTERS :].rstrip()
        if not head.startswith(self.begins) or not tail.endswith(self.ends):
            return False
        searched = text[:_SEARCHED_CHARACTERS], text[-_SEARCHED_CHARACTERS:]
        return all(any(words in part for part in searched) for words in self.contains)


class Shows(BaseModel):
    """What shows a task: all that is given must hold."""

    model_config = _STRICT
    tools: bool | None = None  # whether any are offered
    system_prompt: bool | None = None  # whether there is one
    stream: bool | None = None
    headers: Mapping[str, TextShape] = {}  # names in lower case
    system: TextShape | None = None  # one of the texts of the system prompt
    first_user: TextShape | None = None  # one of the texts of the first message of the user's
    last_user: TextShape | None = None  # the same of the newest that has text
    messages: int | None = None  # how many there are beside the system's

    @model_validator(mode="after")
    def _is_certain(self) -> Self:
        """A person's own words must never do: they have tools, another client or other words around them."""
        _, shape = self.key
        if len(_key(shape.begins)) < _KEY_CHARACTERS:
            raise ValueError(f"say at least {_KEY_CHARACTERS} characters with which the text begins")
        if not (self.system or self.headers or self.tools is False or shape.ends or shape.contains):
            raise ValueError("a person could begin so, too: say more than how the text begins")
        return self

    @property
    def key(self) -> tuple[Place, TextShape]:
        """The text by which the row is found."""
        for place in _PLACES:
            if shape := getattr(self, place):
                return place, shape
        raise ValueError("no text shows it")

    def fits(self, request: "_View") -> bool:
        """Whether the request looks so."""
        return (
            self.tools in (None, request.tools)
            and self.stream in (None, request.stream)
            and all(shape.fits(request.header(name)) for name, shape in self.headers.items())
            and self.system_prompt in (None, bool(request.system))
            and _any_fits(self.system, request.system)
            and _any_fits(self.last_user, request.last_user)
            and _any_fits(self.first_user, request.first_user)
            and self.messages in (None, request.messages)
        )


class _Row(BaseModel):
    model_config = _STRICT
    client: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    task: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    answer: int = Field(503, ge=400, le=599)
    shows: Shows


class SideTasks:
    """The table."""

    def __init__(self, document: Json) -> None:
        self.names: list[tuple[str, str]] = []  # client and task of each row: the values that labels may have
        self._rows: dict[tuple[Place, str], list[tuple[Shows, SideTask]]] = defaultdict(list)
        for row in map(_Row.model_validate, document["task"]):
            place, shape = row.shows.key
            self._rows[place, _key(shape.begins)].append((row.shows, SideTask(row.client, row.task, row.answer)))
            self.names.append((row.client, row.task))

    @classmethod
    def load(cls) -> Self:
        """The one that comes with the gateway."""
        return cls(tomllib.loads((files("gateway") / "side_tasks.toml").read_text(encoding="utf-8")))

    def recognise(self, request: Request, headers: Mapping[bytes, bytes]) -> SideTask | None:
        """The side task that this request is, if any."""
        view = _View(request, headers)
        for place in _PLACES:
            for text in getattr(view, place):
                for shows, task in self._rows.get((place, _key(text)), ()):
                    if shows.fits(view):
                        return task
        return None


class _View:
    """A request as the rows look at it, the same for each dialect; each part is looked for when a row needs it."""

    def __init__(self, request: Request, headers: Mapping[bytes, bytes]) -> None:
        self._body = request.body
        self._headers = headers
        self.tools = bool(request.body.get("tools") or request.body.get("functions"))
        self.stream = request.stream

    def header(self, name: str) -> str:
        """Its value; empty when it is missing."""
        return self._headers.get(name.encode(), b"").decode("latin-1")

    @cached_property
    def system(self) -> list[str]:
        """Of what stands before the conversation; a client may put notes of its own between the turns as well."""
        texts = _texts(self._body.get("system"))
        for message in self._body["messages"]:
            if not _is_system(message):
                break
            texts += _texts(message.get("content"))
        return texts

    @cached_property
    def first_user(self) -> list[str]:
        return next((_texts(m.get("content")) for m in self._body["messages"] if m["role"] == "user"), [])

    @cached_property
    def last_user(self) -> list[str]:
        for message in reversed(self._body["messages"]):
            if message["role"] == "user" and (texts := _texts(message.get("content"))):
                return texts
        return []

    @cached_property
    def messages(self) -> int:
        return sum(not _is_system(message) for message in self._body["messages"])


def _key(text: str) -> str:
    return text[: _KEY_CHARACTERS + _WHITE_SPACE_CHARACTERS].lstrip()[:_KEY_CHARACTERS]


def _is_system(message: Json) -> bool:
    return message["role"] in ("system", "developer")


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content] if content else []
    if not isinstance(content, list):
        return []
    parts = content if len(content) <= 2 * _SEARCHED_PARTS else content[:_SEARCHED_PARTS] + content[-_SEARCHED_PARTS:]
    texts = (part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text")
    return [text for text in texts if isinstance(text, str) and text]


def _any_fits(shape: TextShape | None, texts: Sequence[str]) -> bool:
    return shape is None or any(shape.fits(text) for text in texts)
