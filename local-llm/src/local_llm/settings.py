"""What the operator may set for this service, read from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SOCKET_PATH_LIMIT_BYTES = 107  # sun_path in unix(7) holds 108 with the closing zero


class Settings(BaseSettings):
    """Read from the environment; an empty variable counts as unset.

    Raises pydantic's `ValidationError`, whose messages name the variable and what would be right.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    local_model: str = Field(
        "auto", description="`auto`, a name of the catalogue, the path of a .gguf file, or owner/repository/file.gguf"
    )
    local_models: Path = Field(Path("models"), description="directory of the models that were fetched")
    local_min_tokens_per_second: float = Field(
        4, ge=0, le=10_000, description="`auto` takes no model that writes more slowly than this"
    )
    local_context: int | None = Field(
        None, ge=512, description="context window in tokens; default: what the model was trained for, at most 8192"
    )
    local_queue: int = Field(8, ge=1, le=1000, description="how many requests may wait and run at one time")
    local_threads: int | None = Field(
        None, ge=1, le=512, description="default: the cores really available; to write, one fewer while that is faster"
    )
    local_queue_seconds: float = Field(60, gt=0, le=600, description="how long a request may wait for its turn")
    local_first_word_seconds: float = Field(
        8, gt=0, le=600, description="how long reading a prompt may take; longer conversations lose older turns"
    )
    local_soul: Path | None = Field(None, description="a short persona, as a text file")
    local_tools: Literal["drop", "pass"] = Field("drop", description="whether the model is shown the client's tools")
    local_cache_mb: int = Field(128, ge=0, description="memory for what was read of other conversations")
    local_max_tokens: int = Field(
        1024, ge=1, description="length of an answer when the client names none, and of any answer at most"
    )
    local_answer_seconds: float = Field(
        60, gt=0, le=3600, description="how long writing an answer may take, from its first token on"
    )
    pilot_run_dir: Path = Field(Path(".run"), description="directory of the sockets")

    @property
    def socket_path(self) -> Path:
        """The Unix socket this service listens on."""
        return self.pilot_run_dir / "local.sock"

    @field_validator("pilot_run_dir")
    @classmethod
    def _short_enough_for_a_socket(cls, run_dir: Path) -> Path:
        if len(bytes(run_dir / "local.sock")) > SOCKET_PATH_LIMIT_BYTES:
            raise ValueError(f"too long: a socket path may have {SOCKET_PATH_LIMIT_BYTES} bytes; choose a shorter one")
        return run_dir


class BadSettingError(Exception):
    """The message is one sentence for each setting that is wrong: its name, what is wrong, what would be right."""


def read_settings() -> Settings:
    """The environment. Raises `BadSettingError`."""
    try:
        return Settings()
    except ValidationError as error:
        raise BadSettingError("\n".join(_sentence(str(e["loc"][-1]), e["msg"]) for e in error.errors())) from None


def make_run_dir(settings: Settings) -> None:
    """The directory of the sockets. Raises `BadSettingError` when it cannot be made or written to."""
    run_dir = settings.pilot_run_dir
    try:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(run_dir, os.W_OK | os.X_OK)
    except (OSError, ValueError):
        writable = False
    if not writable:
        raise BadSettingError(
            f"PILOT_RUN_DIR={run_dir}: no directory that can be written to. Set it to one that this user may write to, "
            f"at most {SOCKET_PATH_LIMIT_BYTES - len('/local.sock')} bytes long."
        )


def _sentence(name: str, what: str) -> str:
    name = name.upper()
    what = what.removeprefix("Value error, ").rstrip(".")
    return (
        f"{name}={os.environ.get(name, '')[:60]}: {what[0].lower()}{what[1:]}. Correct it in .env or the environment."
    )
