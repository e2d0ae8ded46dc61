"""The compose project under a name and on ports of its own, with the stand-in for Anthropic as one more service."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import generated_gguf
import httpx
import pytest
from gguf import GGMLQuantizationType as Type
from testcontainers.compose import DockerCompose

from containers.project import SERVICES, Project
from stack import REPOSITORY, clean_environment, free_port


def _engine_runs() -> bool:
    docker = shutil.which("docker")
    return (
        docker is not None
        and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0
        and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0
    )


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine with compose; without one the test is skipped, and in CI fails."""
    if not _engine_runs():
        why = "no Docker engine with compose runs here: containers/engine.sh installs and starts one"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)


def hub_folder(folder: Path) -> Path:
    """What the hub has: one model, larger than the embedded one and as quick."""
    hub = folder / "hub"
    (hub / "someone" / "Larger-GGUF").mkdir(parents=True)
    generated_gguf.write(
        hub / "someone" / "Larger-GGUF" / "larger.gguf", generated_gguf.LARGER, weights=Type.F16, hollow=True
    )
    for each in (hub, *hub.rglob("*")):
        each.chmod(0o755)  # the hub runs as another user
    return hub


@pytest.fixture(scope="session")
def project(engine: None) -> Iterator[Project]:
    """Up and healthy, with no key; down again, volumes and all, afterwards."""
    with tempfile.TemporaryDirectory(prefix="pilot-") as folder:
        secrets = Path(folder) / "secrets"
        secrets.mkdir()
        secrets.chmod(0o755)  # the adapter reads it as another user
        Path(folder).chmod(0o755)
        port, metrics_port, control_port = free_port(), free_port(), free_port()
        settings = {
            "COMPOSE_PROJECT_NAME": f"pilot-test-{uuid.uuid4().hex[:8]}",
            "PILOT_PORT": str(port),
            "PILOT_METRICS_PORT": str(metrics_port),
            "PROMETHEUS_PORT": str(free_port()),
            "GRAFANA_PORT": str(free_port()),
            "PILOT_SECRETS": str(secrets),
            "PILOT_TESTS": str(REPOSITORY / "tests"),
            "PILOT_HUB": str(hub_folder(Path(folder))),
            "HF_ENDPOINT": "http://hub:9810",
            "LOCAL_MIN_TOKENS_PER_SECOND": "0",  # a busy machine must not decide which model is on
            "ANTHROPIC_BASE_URL": "http://anthropic:9800",
            "ANTHROPIC_CONTROL_PORT": str(control_port),
            "CLAUDE_PROBE_SECONDS": "1",
        }
        env_file = Path(folder) / "env"  # instead of the developer's own .env
        env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        os.environ["COMPOSE_PROJECT_NAME"] = settings["COMPOSE_PROJECT_NAME"]  # the file's name would win over env_file
        compose = DockerCompose(
            REPOSITORY,
            compose_file_name=["compose.yaml", "tests/containers/compose.override.yaml"],
            env_file=str(env_file),
            build=True,
        )
        assert "ANTHROPIC_API_KEY" not in clean_environment()
        with compose, httpx.Client(base_url=f"http://127.0.0.1:{control_port}", trust_env=False) as anthropic:
            up = Project(compose, anthropic, secrets / "anthropic_api_key", port, metrics_port)
            with up.client:
                yield up
        names = [f"{settings['COMPOSE_PROJECT_NAME']}/{service}" for service in (*SERVICES, "anthropic")]
        # What else carries these layers keeps them; prometheus' image has no name of the run's own.
        subprocess.run(["docker", "image", "rm", *names], capture_output=True, check=False)
        del os.environ["COMPOSE_PROJECT_NAME"]
