"""The stack in containers: it comes up by itself, keeps to itself, and answers whatever is killed."""

import itertools
import json
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import IO

import httpx
import psutil
import pytest

from containers.project import SERVICES, Project
from gateway.settings import DEFAULT_NOTICE as NOTICE
from stack import wait_for

KEY = "sk-ant-test-0123456789"
FAILBACK_SECONDS = 20.0  # patience; the figures are the bench's and the fault table's
ROOMS = ("local-llm", "claude-adapter", "gateway", "nginx")


@pytest.fixture
def keyed(project: Project) -> Project:
    """With a key, and Claude answering."""
    project.anthropic.post("/reset").raise_for_status()
    project.write_key(KEY)
    project.wait_for_both_brains()
    return project


def test_a_cold_start_without_a_key_answers(project: Project) -> None:
    """No .env, no key: every service is healthy and the embedded model answers, notice first."""
    assert {service: project.health(service) for service in SERVICES} == dict.fromkeys(SERVICES, "healthy")
    response = project.ask("Cold start: what is the capital of France?")
    assert response.status_code == 200
    assert (response.headers["X-Served-By"], response.headers["X-Fallback-Reason"]) == ("local", "no_key")
    assert response.json()["choices"][0]["message"]["content"].startswith(NOTICE)


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_shut_in(project: Project, service: str) -> None:
    """Not root, read-only, no capabilities, no new privileges, bounded memory, processes and logs, restarted."""
    inspected = project.inspect(service)
    host = inspected["HostConfig"]
    assert inspected["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert not host["Privileged"]
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"]["max-size"]


def test_who_has_a_network(project: Project) -> None:
    """None for the gateway and the local model; only nginx publishes ports, on loopback."""
    for service in ("gateway", "local-llm"):
        assert project.inspect(service)["HostConfig"]["NetworkMode"] == "none"
    for service in SERVICES:
        published = [
            binding for ports in project.inspect(service)["HostConfig"]["PortBindings"].values() for binding in ports
        ]
        assert bool(published) == (service == "nginx")
        assert {binding["HostIp"] for binding in published} <= {"127.0.0.1"}


def test_who_sees_the_key(keyed: Project) -> None:
    """The key's directory is mounted into the adapter alone, and no environment holds it."""
    for service in SERVICES:
        inspected = keyed.inspect(service)
        mounted = {mount["Destination"] for mount in inspected["Mounts"]}
        assert ("/run/secrets" in mounted) == (service == "claude-adapter")
        assert KEY not in str(inspected)


def test_a_key_added_later_lights_claude_up(project: Project) -> None:
    """Without a restart, within seconds."""
    project.key_file.unlink(missing_ok=True)
    project.wait_for_brain("local", 20)
    project.anthropic.post("/reset").raise_for_status()
    project.write_key(KEY)
    began = time.monotonic()
    project.wait_for_brain("claude", 20)
    assert time.monotonic() - began < FAILBACK_SECONDS


def test_failover_and_failback(keyed: Project) -> None:
    """Claude refuses connections: the next answer is local and says why. It comes back: so does the answer."""
    keyed.anthropic.post("/script", json={"refuse": True}).raise_for_status()
    response = keyed.ask("Failover in containers.")
    assert (response.headers["X-Served-By"], response.headers["X-Fallback-Reason"]) == ("local", "connect")
    assert response.json()["choices"][0]["message"]["content"].startswith(NOTICE)
    keyed.anthropic.post("/reset").raise_for_status()
    began = time.monotonic()
    keyed.wait_for_brain("claude", 20)
    assert time.monotonic() - began < FAILBACK_SECONDS


def test_the_key_is_rotated_by_replacing_its_file(keyed: Project) -> None:
    """A refused key falls back with reason auth; a good one in its place is taken up at once."""
    keyed.anthropic.post("/script", json={"valid_keys": ["sk-ant-second"]}).raise_for_status()
    response = keyed.ask("Key rotation.")
    assert (response.headers["X-Served-By"], response.headers["X-Fallback-Reason"]) == ("local", "auth")
    keyed.write_key("sk-ant-second")
    began = time.monotonic()
    keyed.wait_for_brain("claude", 20)
    assert time.monotonic() - began < FAILBACK_SECONDS


def pause(project: Project, service: str) -> None:
    project.compose_command("pause", service)
    time.sleep(6)  # how long it stays frozen is the fault itself, not a wait for something
    project.compose_command("unpause", service)


def freeze(project: Project, service: str) -> None:
    """Its process, or one of nginx's workers, is stopped and nobody lets it go on: the healthcheck has to end it."""
    process = psutil.Process(project.inspect(service)["State"]["Pid"]).children()[0]
    if service == "nginx":
        process = process.children()[0]
    process.suspend()
    wait_for(f"{service} was ended", lambda: not process.is_running(), 90)


def change_image(project: Project, service: str) -> None:
    """An update, as a person makes it: the image is built anew, and `up` replaces what has changed and nothing else."""
    others = {other: project.inspect(other)["Id"] for other in SERVICES if other != service}
    before = project.inspect(service)["Image"]
    image = project.image(service)
    subprocess.run(
        ["docker", "build", "--quiet", "--label", f"changed={uuid.uuid4()}", "--tag", image, "-"],
        input=f"FROM {image}\n".encode(),
        capture_output=True,
        check=True,
    )
    project.compose_command("up", "--detach", "--no-build", "--timeout", "5")
    assert project.inspect(service)["Image"] != before
    assert {other: project.inspect(other)["Id"] for other in others} == others


STRIKES: dict[str, Callable[[Project, str], object]] = {
    "killed": lambda project, service: project.kill(service),
    "stopped and started": lambda project, service: project.compose_command("restart", "--timeout", "5", service),
    "recreated": lambda project, service: project.compose_command(
        "up", "--detach", "--no-deps", "--force-recreate", "--timeout", "5", service
    ),
    "given a changed image": change_image,
    "paused": pause,
    "frozen": freeze,
}
# A strike at the edge costs whoever is connected to it at that moment and whoever asks while it is down.
MAY_LOSE = {"nginx"}


@pytest.mark.parametrize("service", ROOMS)
@pytest.mark.parametrize("strike", STRIKES)
def test_a_strike_under_load_loses_nothing(keyed: Project, service: str, strike: str) -> None:
    """Two clients ask four times a second throughout; what is lost is counted and printed."""
    outcomes: Counter[str] = Counter()
    stop = threading.Event()

    def ask_steadily() -> None:
        while not stop.is_set():
            try:
                response = keyed.ask("Steady load.", max_tokens=4)
                outcomes[response.headers.get("X-Served-By", str(response.status_code))] += 1
            except httpx.HTTPError as error:
                outcomes[type(error).__name__] += 1
            stop.wait(0.25)

    clients = [threading.Thread(target=ask_steadily) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        STRIKES[strike](keyed, service)
        keyed.wait_for_both_brains()
    finally:
        stop.set()
        for client in clients:
            client.join()
    lost = outcomes.total() - outcomes["claude"] - outcomes["local"]
    print(f"{service} {strike}: {dict(outcomes)}, lost {lost}")
    if service not in MAY_LOSE:
        assert lost == 0, outcomes


@pytest.mark.parametrize("order", list(itertools.permutations(ROOMS)), ids="-".join)
def test_the_order_of_starting_does_not_matter(keyed: Project, order: tuple[str, ...]) -> None:
    """As after a reboot: all stopped, started one by one in this order, and Claude answers again."""
    keyed.compose_command("kill", *ROOMS)
    for room in order:
        keyed.compose_command("start", room)
    keyed.wait_for_brain("claude", 60)


def test_prometheus_sees_every_room(keyed: Project) -> None:
    """All targets are up, asked through nginx, which alone has its port published."""
    port = keyed.inspect("nginx")["HostConfig"]["PortBindings"]["9090/tcp"][0]["HostPort"]

    def down() -> set[str]:
        query = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": "up"}, trust_env=False).json()
        up = {sample["metric"]["job"]: sample["value"][1] for sample in query["data"]["result"]}
        return {"gateway", "claude-adapter", "local-llm", "nginx", "prometheus"} - {job for job in up if up[job] == "1"}

    wait_for("every target is up", lambda: not down(), 40)


def test_the_key_is_left_nowhere(keyed: Project) -> None:
    """Not in a log after a fault, nor in a metric, nor in a layer of the image that uses it."""
    keyed.anthropic.post("/script", json={"status": 401}).raise_for_status()
    assert keyed.ask("A fault that is about the key.").headers["X-Fallback-Reason"] == "auth"
    assert KEY not in keyed.compose_command("logs", "--no-color")
    for room in ("gateway", "claude-adapter", "local-llm", "nginx"):
        metrics = httpx.get(f"http://127.0.0.1:{keyed.metrics_port}/{room}/metrics", trust_env=False)
        assert KEY not in metrics.raise_for_status().text
    with subprocess.Popen(["docker", "save", keyed.image("claude-adapter")], stdout=subprocess.PIPE) as saved:
        assert saved.stdout is not None
        found = read_through(saved.stdout, KEY.encode())
    assert saved.returncode == 0
    assert not found


def read_through(stream: IO[bytes], secret: bytes) -> bool:
    """Whether the stream holds the secret; read to its end, piece by piece. (An image is saved with plain layers.)"""
    found, rest = False, b""
    while piece := stream.read(1 << 20):
        found = found or secret in rest + piece
        rest = piece[-len(secret) :]
    return found


def test_a_model_is_fetched_and_put_on(project: Project) -> None:
    """The one-shot service fetches it, local-llm, which has no network, changes over, and back when it is gone."""

    def model_on() -> str:
        asking = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('/run/pilot-light/local.sock'); "
        asking += "s.sendall(b'GET /healthz HTTP/1.0\\r\\n\\r\\n'); print(s.makefile().read())"
        answer = project.compose_command("exec", "--no-TTY", "local-llm", "python", "-c", asking)
        model: str = json.loads(answer.partition("\n\n")[2])["model"]
        return model

    embedded = model_on()
    project.compose_command("run", "--rm", "--no-TTY", "model", "someone/Larger-GGUF/larger.gguf")
    wait_for("the larger model is on", lambda: model_on() == "larger", 90)
    assert project.ask("Who is on?", model="local").json()["model"] == "larger"
    project.compose_command("run", "--rm", "--no-TTY", "--entrypoint", "rm", "model", "/models/larger.gguf")
    wait_for("the embedded model is on again", lambda: model_on() == embedded, 90)


def test_images_stay_small(project: Project) -> None:
    """The Python images without the model stay under 250 MB."""
    model_bytes = {"local-llm": 98e6}
    for service in ("gateway", "claude-adapter", "local-llm"):
        command = ["docker", "image", "inspect", "--format", "{{.Size}}", project.image(service)]
        size_bytes = int(subprocess.run(command, capture_output=True, check=True).stdout)
        assert size_bytes - model_bytes.get(service, 0) < 250e6


def test_a_full_socket_volume_takes_no_answer(keyed: Project) -> None:
    """Full to the last byte, both backends answer in both dialects, whole and streamed; too large a body is refused."""
    filler = "/run/pilot-light/filler"
    message = {"model": "pilot", "max_tokens": 4, "messages": [{"role": "user", "content": "Full?"}]}
    keyed.compose_command("exec", "--no-TTY", "nginx", "sh", "-c", f"cat /dev/zero > {filler} || true")
    try:
        for backend, model in (("claude", "pilot"), ("local", "local")):
            for path in ("/v1/chat/completions", "/v1/messages"):
                for streamed in (False, True):
                    response = keyed.client.post(path, json={**message, "model": model, "stream": streamed})
                    assert (response.status_code, response.headers["X-Served-By"]) == (200, backend), path
        too_large = keyed.ask("x" * 3_000_000)
        assert (too_large.status_code, "disk is full" in too_large.text) == (507, True)
    finally:
        keyed.compose_command("exec", "--no-TTY", "nginx", "rm", filler)
    assert keyed.ask("x" * 3_000_000).status_code == 200
