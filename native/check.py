"""Say what is wrong with the settings, one sentence a line, before anything starts. Exit 0 when nothing is.

A program of its own, so that the launcher, which stays in memory, does not have to load the services' libraries.
"""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from claude_adapter.settings import Settings as ClaudeAdapterSettings
from gateway.settings import Settings as GatewaySettings
from local_llm.models.weights import ModelNotFoundError, locate
from local_llm.settings import Settings as LocalLlmSettings


def complaints() -> list[str]:
    """What each service would refuse to start with."""
    found: list[str] = []
    services: tuple[type[BaseSettings], ...] = (GatewaySettings, ClaudeAdapterSettings, LocalLlmSettings)
    for service in services:
        try:
            service()
        except ValidationError as error:
            found += [_sentence(str(problem["loc"][-1]), problem["msg"]) for problem in error.errors()]
    found += [
        f"{scheme.upper()}_PROXY is not the address of a proxy. Write it as http://host:port, or unset it."
        for scheme, address in getproxies().items()
        if scheme in ("http", "https") and not _is_proxy(address)
    ]
    key_file = os.environ.get("ANTHROPIC_API_KEY_FILE")
    if key_file and not Path(key_file).parent.is_dir():
        found.append(f"ANTHROPIC_API_KEY_FILE={key_file}: there is no such directory. Correct the path in .env.")
    if not found:
        try:
            locate(LocalLlmSettings())
        except ModelNotFoundError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  # raises when it is none
    except ValueError:
        return False
    return bool(parts.hostname) and parts.scheme in ("http", "https", "socks5", "socks5h")


def _sentence(name: str, what: str) -> str:
    name = name.upper()
    value = "" if "KEY" in name else f"={os.environ.get(name, '')}"
    what = what.removeprefix("Value error, ").rstrip(".")
    return f"{name}{value}: {what[0].lower()}{what[1:]}. Correct it in .env or the environment."


if __name__ == "__main__":
    for complaint in (problems := complaints()):
        print(complaint, file=sys.stderr)
    sys.exit(1 if problems else 0)
