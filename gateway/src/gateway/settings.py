"""The gateway's settings: environment variables, checked once at start."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_NOTICE = (
    "I'm running on a smaller brain right now — Alexander's API connection is down. "
    "I can still chat but I'm not as sharp."
)


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
    pilot_state_dir: Path | None = Field(
        None, description="directory of the history; default: `state` beside the sockets"
    )

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names before the `=` of each pair."""
        return tuple(pair.partition("=")[0] for pair in self.pilot_aliases.replace(",", " ").split())

    @property
    def state_dir(self) -> Path:
        """Where the history is kept."""
        return self.pilot_state_dir or self.pilot_run_dir / "state"
