"""What the operator may set for this room, read from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
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
        """The Unix socket this room listens on."""
        return self.pilot_run_dir / "local.sock"

    @field_validator("pilot_run_dir")
    @classmethod
    def _short_enough_for_a_socket(cls, run_dir: Path) -> Path:
        if len(bytes(run_dir / "local.sock")) > SOCKET_PATH_LIMIT_BYTES:
            raise ValueError(f"too long: a socket path may have {SOCKET_PATH_LIMIT_BYTES} bytes; choose a shorter one")
        return run_dir


def sentences(errors: list[Any]) -> str:
    """Pydantic's list of errors as one line a person can act on, variables named as in the environment."""
    return "; ".join(
        f"{'.'.join(str(part) for part in error['loc']).upper()}: {error['msg']} (is {error['input']!r})"
        for error in errors
    )
