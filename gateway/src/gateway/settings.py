"""The gateway's settings: environment variables, checked once at start."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_NOTICE = (
    "I'm running on a smaller brain right now — Alexander's API connection is down. "
    "I can still chat but I'm not as sharp."
)
DEFAULT_MARK = "🕯"

_LONGEST_DIRECTORY_BYTES = 90  # a socket's whole path may have 107


class Settings(BaseSettings):
    """Environment of the gateway; an empty value means unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    pilot_run_dir: Path = Field(Path(".run"), description="directory of the sockets")
    pilot_aliases: str = Field("", description="more names for Claude's models; claude-adapter reads them too")
    pilot_notice: str = Field(
        DEFAULT_NOTICE, min_length=1, max_length=2000, description="first paragraph when local answers"
    )
    pilot_notice_policy: Literal["transition", "always", "never"] = Field(
        "transition", description="when the notice is said"
    )
    pilot_mark: str = Field(
        DEFAULT_MARK,
        max_length=40,
        pattern=r"^\S+$",
        description="end of a local answer without notice, or `off`",
    )
    pilot_handover: Literal["labels", "off"] = Field(
        "labels", description="whether Claude is told which answers the local model wrote"
    )
    pilot_side_tasks: Literal["claude", "any"] = Field(
        "claude", description="who answers the requests that clients make by themselves"
    )
    pilot_state_dir: Path | None = Field(
        None, description="directory of the history; default: `state` beside the sockets"
    )

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names before the `=` of each pair."""
        return tuple(pair.partition("=")[0] for pair in self.pilot_aliases.replace(",", " ").split())

    @property
    def mark(self) -> str:
        """The mark; empty when there is to be none."""
        return "" if self.pilot_mark == "off" else self.pilot_mark

    @property
    def state_dir(self) -> Path:
        """Where the history is kept."""
        return self.pilot_state_dir or self.pilot_run_dir / "state"


class BadSettingError(Exception):
    """The message is one sentence for each setting that is wrong: its name, what is wrong, what would be right."""


def read_settings() -> Settings:
    """The environment, with a directory for the sockets that can be written to. Raises BadSettingError."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise BadSettingError("\n".join(_sentence(str(e["loc"][-1]), e["msg"]) for e in error.errors())) from None
    run_dir = settings.pilot_run_dir
    try:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise BadSettingError(_not_a_place(run_dir, f"the directory cannot be made ({type(error).__name__})")) from None
    if not os.access(run_dir, os.W_OK | os.X_OK):
        raise BadSettingError(_not_a_place(run_dir, "the directory cannot be written to"))
    if len(os.fsencode(run_dir.absolute())) > _LONGEST_DIRECTORY_BYTES:
        raise BadSettingError(_not_a_place(run_dir, "the path is too long for a socket"))
    return settings


def _not_a_place(run_dir: Path, what: str) -> str:
    short = f"at most {_LONGEST_DIRECTORY_BYTES} bytes long"
    return f"PILOT_RUN_DIR={run_dir}: {what}. Set it to a directory that this user may write to, {short}."


def _sentence(name: str, what: str) -> str:
    name = name.upper()
    what = what.removeprefix("Value error, ").rstrip(".")
    return (
        f"{name}={os.environ.get(name, '')[:60]}: {what[0].lower()}{what[1:]}. Correct it in .env or the environment."
    )
