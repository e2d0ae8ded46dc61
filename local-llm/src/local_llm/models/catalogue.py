"""The models known by name: `models.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """One model. `repository` and `revision` are Hugging Face's; `package` holds an embedded one instead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    file: str
    size_bytes: int
    sha256: str
    ram_mb: int
    context_tokens: int
    repository: str | None = None
    revision: str = "main"
    package: str | None = None
    stops: tuple[str, ...] = ()


@cache
def entries() -> tuple[Entry, ...]:
    """All of them, the largest first."""
    text = resources.files("local_llm.models").joinpath("models.toml").read_text()
    return tuple(Entry.model_validate(entry) for entry in tomllib.loads(text)["model"])


def named(name: str) -> Entry | None:
    """The entry of this name, in any case."""
    return next((entry for entry in entries() if entry.name == name.lower()), None)


def of_file(file: str) -> Entry | None:
    """The entry whose weights lie in a file of this name."""
    return next((entry for entry in entries() if entry.file == file), None)
