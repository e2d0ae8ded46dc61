"""The adapter's settings, read from the environment once at start."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each field is the environment variable of the same name in capitals; an empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", str_strip_whitespace=True, frozen=True)

    anthropic_api_key: SecretStr | None = None
    anthropic_api_key_file: Path | None = None
    anthropic_base_url: str = "https://api.anthropic.com"
    claude_model: str = Field("claude-sonnet-5-5", min_length=1)
    claude_first_token_seconds: float = Field(30.0, gt=0, allow_inf_nan=False)
    claude_stall_seconds: float = Field(30.0, gt=0, allow_inf_nan=False)
    claude_probe_seconds: float = Field(2.0, gt=0, allow_inf_nan=False)
    claude_connect_seconds: float = Field(2.0, gt=0, allow_inf_nan=False)
    claude_max_tokens: int = Field(8192, gt=0)
    pilot_run_dir: Path = Path(".run")

    @field_validator("anthropic_base_url")
    @classmethod
    def _is_http_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be a plain http(s) address such as https://api.anthropic.com")
        return url.rstrip("/")


def explain(error: ValidationError) -> str:
    """One line per bad setting, naming the environment variable; never its value, which may be a key."""
    return "\n".join(
        f"{str(item['loc'][0]).upper() if item['loc'] else 'settings'}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_input=False, include_url=False)
    )
