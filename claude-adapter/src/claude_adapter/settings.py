"""The adapter's settings, read from the environment once at start."""

from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_AN_ADDRESS = "must be a plain http(s) address such as https://api.anthropic.com"


class BadSettingError(Exception):
    """A variable that is not ours has a value that nothing can be done with; the message names it."""


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
    # What Claude's longest answer in one piece leaves of the 660 s after which nginx gives up is the most.
    claude_patience_seconds: float = Field(2.0, ge=0, le=50)
    claude_tool_patience_seconds: float = Field(20.0, ge=0, le=50)
    claude_connect_seconds: float = Field(2.0, gt=0, allow_inf_nan=False)
    claude_max_tokens: int = Field(8192, gt=0)
    claude_cache: Literal["on", "off"] = "on"
    pilot_aliases: str = ""
    pilot_run_dir: Path = Path(".run")

    @field_validator("anthropic_base_url")
    @classmethod
    def _is_http_url(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            raise ValueError(_AN_ADDRESS) from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(_AN_ADDRESS)
        # As it stands in the settings of many clients: what we ask for is added to it.
        return url.rstrip("/").removesuffix("/v1/messages").removesuffix("/v1").rstrip("/")

    @field_validator("pilot_aliases")
    @classmethod
    def _are_pairs(cls, aliases: str) -> str:
        _aliases(aliases)
        return aliases

    def model_for(self, name: str) -> str:
        """The Claude model that is asked for by this name: any `claude-*` itself, an alias, or else the default."""
        return name if name.startswith("claude-") else _aliases(self.pilot_aliases).get(name, self.claude_model)


def proxy_for(url: str) -> str | None:
    """The proxy on the way to `url`, by the usual variables (`HTTPS_PROXY`, `NO_PROXY`). Raises `BadSettingError`."""
    target = urlsplit(url)
    if proxy_bypass(target.hostname or ""):
        return None
    proxy = getproxies().get(target.scheme)
    if proxy is None:
        return None
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and parts.port != 0 and _is_host(parts.hostname or "")
    except ValueError:
        usable = False
    if not usable:
        name = f"{target.scheme.upper()}_PROXY"
        raise BadSettingError(f"{name}: must be an address such as http://proxy.example:3128, or unset.")
    return proxy


def _is_host(name: str) -> bool:
    """Whether it can be looked up. Raises `ValueError` for parts of a name that are empty or too long."""
    return name.encode("idna") != b"" and not any(character.isspace() for character in name)


@cache
def _aliases(pairs: str) -> dict[str, str]:
    """`name=claude-...` pairs, separated by commas or spaces."""
    found = dict(pair.partition("=")[::2] for pair in pairs.replace(",", " ").split())
    for name, model in found.items():
        if not name or not model.startswith("claude-"):
            raise ValueError(f"{name or model} must be a pair such as gpt-4o=claude-sonnet-5-5")
    return found


def explain(error: ValidationError) -> str:
    """One line per bad setting, naming the environment variable; never its value, which may be a key."""
    return "\n".join(
        f"{str(item['loc'][0]).upper() if item['loc'] else 'settings'}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_input=False, include_url=False)
    )
