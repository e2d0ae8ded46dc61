"""docs/settings.md, .env.example and compose.yaml are held to the settings that the services read."""

import re
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from pydantic_settings import BaseSettings

from claude_adapter.settings import Settings as ClaudeAdapterSettings
from docs.pages import read, table
from gateway.settings import Settings as GatewaySettings
from local_llm.settings import Settings as LocalLlmSettings
from stack import REPOSITORY

CLASSES: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "claude-adapter": ClaudeAdapterSettings,
    "local-llm": LocalLlmSettings,
}
COMPOSE: dict[str, Any] = yaml.safe_load(read("compose.yaml"))
EXAMPLE = REPOSITORY / ".env.example"
PAGE = read("docs/settings.md")

# nginx reads its settings in sh. PILOT_LISTEN is the container's own affair.
OF_NGINX = dict(re.findall(r"\$\{(PILOT_[A-Z_]+):-([^$}]*)", read("nginx/start.sh")))
OF_NGINX.pop("PILOT_LISTEN")

SETTINGS: dict[str, set[str]] = {
    **{service: {name.upper() for name in settings.model_fields} for service, settings in CLASSES.items()},
    "nginx": set(OF_NGINX),
}
ALL = set().union(*SETTINGS.values())

# In a container these have another owner than .env: the container's own value, and why.
OWNED_BY_THE_CONTAINER = {
    ("gateway", "PILOT_STATE_DIR"): "a volume, which outlives the container",
    ("claude-adapter", "ANTHROPIC_API_KEY_FILE"): "PILOT_SECRETS names the directory on the host",
    ("local-llm", "LOCAL_MODELS"): "a volume, which the fetching container fills",
    ("local-llm", "LOCAL_SOUL"): "the file is mounted, so the path on the host means nothing inside",
}
NOT_IN_THE_ENVIRONMENT = {
    **{(service, "PILOT_RUN_DIR"): "the image says where the shared volume of sockets is" for service in SETTINGS},
    ("nginx", "PILOT_PORT"): "the port inside is always 8080; compose maps the host's to it",
    ("nginx", "PILOT_METRICS_PORT"): "the port inside is always 9145; compose maps the host's to it",
}
ONLY_INSIDE = {
    "HEALTH_SOCKET": "which socket the container's healthcheck asks",
    "PILOT_LISTEN": "a container listens on all its addresses; PILOT_BIND is the host's",
}


def default_of(name: str) -> str:
    """The default in the code, as one would write it in `.env`; empty for none."""
    if name in OF_NGINX:
        return str(OF_NGINX[name])
    fields = [field for settings in CLASSES.values() if (field := settings.model_fields.get(name.lower()))]
    values = [field.default for field in fields]
    assert values.count(values[0]) == len(values), f"the services disagree about {name}"
    if isinstance(values[0], float):
        return f"{values[0]:g}"
    return "" if values[0] is None else str(values[0])


def test_every_setting_is_documented() -> None:
    """The table of settings names what the services read, no more and no less."""
    assert {row[0].strip("`") for row in table(PAGE, "variable")} == ALL


# What the default depends on is said in words there.
IN_WORDS = {"PILOT_NOTICE", "PILOT_STATE_DIR", "PILOT_KEY_CONCURRENCY", "LOCAL_CONTEXT", "LOCAL_THREADS"}


@pytest.mark.parametrize("row", table(PAGE, "variable"), ids=lambda row: row[0].strip("`"))
def test_the_documented_default_is_the_one_of_the_code(row: list[str]) -> None:
    """The second column of the table."""
    name, documented = row[0].strip("`"), row[1].strip("`")
    if name in IN_WORDS:
        assert " " in documented
    else:
        assert ("" if documented == "none" else documented) == default_of(name)


def test_every_setting_is_in_the_example() -> None:
    """.env.example names them too."""
    assert set(dotenv_values(EXAMPLE)) == ALL


def test_the_example_as_it_is_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who copies .env.example to .env without a change has the defaults of the code."""
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
    defaults = {service: settings() for service, settings in CLASSES.items()}
    example = {name: value or "" for name, value in dotenv_values(EXAMPLE).items()}
    for name, value in example.items():
        monkeypatch.setenv(name, value)
    assert {service: settings() for service, settings in CLASSES.items()} == defaults
    assert {name: example[name] for name in OF_NGINX} == OF_NGINX


def environment_of(service: str) -> dict[str, str]:
    """What compose.yaml sets in this service's container."""
    return {name: str(value) for name, value in COMPOSE["services"][service]["environment"].items()}


@pytest.mark.parametrize(
    ("service", "name"), [(service, name) for service, names in SETTINGS.items() for name in sorted(names)]
)
def test_compose_passes_every_setting_on(service: str, name: str) -> None:
    """A setting in .env reaches each container that reads it, unless something else owns it there."""
    environment = environment_of(service)
    if (service, name) in NOT_IN_THE_ENVIRONMENT:
        assert name not in environment
        return
    value = environment[name]
    if (service, name) in OWNED_BY_THE_CONTAINER:
        assert re.fullmatch(rf"/[\w/.-]+|\$\{{{name}:\+/[\w/.-]+\}}", value)
    else:  # unset in .env means the service's own default, so compose has none but the one it needs itself
        assert value in {f"${{{name}:-}}", f"${{{name}:-{default_of(name)}}}"}


@pytest.mark.parametrize("service", SETTINGS)
def test_compose_passes_nothing_that_nobody_reads(service: str) -> None:
    """A setting that was renamed or removed does not linger in compose.yaml."""
    assert set(environment_of(service)) - set(ONLY_INSIDE) <= SETTINGS[service]


def test_the_run_directory_of_the_containers_is_the_volume_of_sockets() -> None:
    """Every image names the directory where compose.yaml mounts the sockets."""
    for service in SETTINGS:
        image = read(f"{service}/Dockerfile")
        assert "PILOT_RUN_DIR=/run/pilot-light" in image
        assert "sockets:/run/pilot-light" in COMPOSE["services"][service].get(
            "volumes", COMPOSE["x-service"]["volumes"]
        )


def test_what_compose_takes_from_env_is_documented() -> None:
    """Each ${NAME} in compose.yaml is a setting of a service or has its row on the page."""
    used = set(re.findall(r"\$\{([A-Z_]+)", read("compose.yaml")))
    of_compose = {row[0].strip("`") for row in table(PAGE, "only for compose")}
    of_fetching = {row[0].strip("`") for row in table(PAGE, "for `make model` and `docker compose run --rm model`")}
    assert used - ALL == of_compose | of_fetching


def test_compose_says_the_ports_as_the_page_does() -> None:
    """The ports that nginx publishes have the defaults that are documented."""
    published = dict(re.findall(r"\$\{([A-Z_]+_PORT|PILOT_PORT):-(\d+)\}", read("compose.yaml")))
    documented = {row[0].strip("`"): row[1] for row in table(PAGE, "variable") + table(PAGE, "only for compose")}
    assert published == {name: documented[name] for name in published}
