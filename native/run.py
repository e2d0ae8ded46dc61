"""`make run`: check all, start the services under supervisor, say in one line what is on, watch, stop all on Ctrl-C.

Stays in memory while Pilot Light runs, so it imports little.
"""

import contextlib
import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

from dotenv import dotenv_values

from service_logs import ServiceLogs
from watchdog import SOCKETS, Watchdog

HERE = Path(__file__).resolve().parent
START_DEADLINE_SECONDS = 120
STOP_DEADLINE_SECONDS = 40
OPEN_FILES = 1024  # connections are files; supervisor refuses to run with fewer
# Our own questions are for this machine: whatever proxy there is has no part in them.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def main() -> int:
    """Run until a signal or until supervisor ends; returns the exit code."""
    environment = read_environment()
    run_dir = Path(environment["PILOT_RUN_DIR"])
    bind = environment.get("PILOT_BIND") or "127.0.0.1"
    port = int_or_refuse(environment, "PILOT_PORT", 8080)
    url = edge_url(environment)

    if running_pid(run_dir):
        refuse(f"Pilot Light is already running at {url}. Stop it with: make stop")
    refuse_few_open_files()
    make_run_dir(run_dir)
    for check in ([f"{HERE.parent}/nginx/start.sh", "--check"], [sys.executable, f"{HERE}/check.py"]):
        if subprocess.run(check, env=environment, check=False).returncode:
            return 1
    refuse_taken_port(bind, port, "PILOT_PORT")
    refuse_taken_port("127.0.0.1", int_or_refuse(environment, "PILOT_METRICS_PORT", 9145), "PILOT_METRICS_PORT")

    logs = ServiceLogs(run_dir / "logs")
    command = [sys.executable, f"{HERE}/supervise.py", "-c", f"{HERE}/supervisord.conf"]
    # A session of its own: Ctrl-C reaches this program alone, which then ends the services in order.
    supervisor = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.terminate())
    try:
        failure = wait_until_on(url, environment, supervisor, logs)
        if failure:
            say(failure)
            supervisor.terminate()
        watchdog = Watchdog(run_dir, supervisor.pid)
        while supervisor.poll() is None:
            watchdog.check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                supervisor.wait(1)
    finally:
        if supervisor.poll() is None:
            supervisor.terminate()
            supervisor.wait(STOP_DEADLINE_SECONDS)
        remove_sockets(run_dir)
    if failure:
        return 1
    say("Pilot Light is off.")
    return 0


def read_environment() -> dict[str, str]:
    """The environment over `.env`, with the paths that supervisor's configuration needs."""
    from_file = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    environment = {**from_file, **os.environ}
    environment["PILOT_RUN_DIR"] = str(Path(environment.get("PILOT_RUN_DIR") or ".run").resolve())
    environment["PILOT_PYTHON"] = sys.executable
    return environment


def edge_url(environment: dict[str, str]) -> str:
    """Where this machine reaches the edge."""
    bind = environment.get("PILOT_BIND") or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(bind, f"[{bind}]" if ":" in bind else bind)
    return f"http://{host}:{int_or_refuse(environment, 'PILOT_PORT', 8080)}"


def key_header(environment: dict[str, str]) -> dict[str, str]:
    """The header with the first of PILOT_KEYS (`key` or `name:key`), if there is one."""
    keys = (environment.get("PILOT_KEYS") or "").replace(",", " ").split()
    return {"x-api-key": keys[0].rpartition(":")[2]} if keys else {}


def running_pid(run_dir: Path) -> int | None:
    """The supervisor's process id, when one is alive for this directory."""
    try:
        pid = int((run_dir / "supervisord.pid").read_text())
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"supervisord" in command_line else None


def wait_until_on(
    url: str, environment: dict[str, str], supervisor: "subprocess.Popen[bytes]", logs: ServiceLogs
) -> str | None:
    """Wait until a backend is on and Claude has been tried once, and say so in one line; returns why it cannot be."""
    run_dir = Path(environment["PILOT_RUN_DIR"])
    deadline = time.monotonic() + START_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if supervisor.poll() is not None:
            return f"Pilot Light has ended before it was on. The logs are in {run_dir / 'logs'}."
        status = ask_status(url, environment)
        if status and status["active_backend"] != "none" and status["claude"]["probed"]:
            say(announcement(url, status))
            return None
        if failure := logs.cannot_start():
            return failure
        time.sleep(0.1)
    silent = [service for service, name in SOCKETS.items() if not (run_dir / name).exists()]
    who = f" {' and '.join(silent)} did not begin to listen." if silent else ""
    return f"Pilot Light did not come up within {START_DEADLINE_SECONDS} s.{who} The logs are in {run_dir / 'logs'}."


def ask_status(url: str, environment: dict[str, str]) -> dict[str, Any] | None:
    """`/status` through the edge, as any client would ask it; None while it does not answer."""
    request = urllib.request.Request(f"{url}/status", headers=key_header(environment))
    try:
        with _open(request, timeout=2) as response:
            status: dict[str, Any] = json.load(response)
            return status
    except (OSError, ValueError, urllib.error.URLError):
        return None


def announcement(url: str, status: dict[str, Any]) -> str:
    """The one line: the URL, which backend is on, and why."""
    if status["active_backend"] == "claude":
        why = status["detail"] if status["local"]["ready"] else f"{status['detail']} The local model is not ready."
        return f"Pilot Light is on at {url}/v1, with Claude ({status['model']}). {why}"
    return f"Pilot Light is on at {url}/v1: the local model ({status['model']}) answers. {status['detail']}"


def refuse_few_open_files() -> None:
    """Exit with a sentence when this shell lets nobody open as many files as the connections will need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        refuse(f"Only {hard} files may be open here, and Pilot Light needs {OPEN_FILES}. Raise the limit: ulimit -n.")


def make_run_dir(run_dir: Path) -> None:
    """Make the directory of sockets and logs, open to its owner alone; exit with a sentence when it cannot be used."""
    try:
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        keep_private(run_dir)
        (run_dir / "logs").mkdir(mode=0o700, exist_ok=True)
        with (run_dir / "logs" / "supervisord.log").open("a") as log:
            log.write("make run\n")
    except OSError as error:
        if error.errno == errno.ENOSPC and (run_dir / "logs" / "supervisord.log").exists():
            say(f"The disk of {run_dir} is full. Pilot Light tries to start all the same; its logs will say nothing.")
            return
        refuse(f"PILOT_RUN_DIR={run_dir} cannot be used: {error.strerror}. Set it to one that is yours and has room.")


def keep_private(run_dir: Path) -> None:
    """Close it to other users, who would need no key at the sockets; refuse a directory that is not for us alone."""
    if run_dir.stat().st_mode & 0o077 == 0:
        return
    if any(run_dir.iterdir()) and not (run_dir / "logs" / "supervisord.log").exists():
        refuse(
            f"PILOT_RUN_DIR={run_dir} is open to other users and not Pilot Light's own. Name one that is new or empty."
        )
    run_dir.chmod(0o700)


def refuse_taken_port(bind: str, port: int, name: str) -> None:
    """Exit with a sentence when the port is somebody else's."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                refuse(f"Port {port} is taken by another program. Set {name} to a free one, in .env for instance.")
            refuse(f"Pilot Light cannot listen on {bind}:{port}: {error.strerror}. Change PILOT_BIND or {name}.")


def int_or_refuse(environment: dict[str, str], name: str, default: int) -> int:
    """A port from the environment; nginx/start.sh --check has the full rules."""
    value = environment.get(name) or str(default)
    if not value.isdigit():
        refuse(f"{name}={value} is not a port number. Set it to a number from 1 to 65535.")
    return int(value)


def remove_sockets(run_dir: Path) -> None:
    """Leave nothing but the logs behind."""
    for leftover in (*run_dir.glob("*.sock"), *run_dir.glob("*.pid")):
        with contextlib.suppress(FileNotFoundError):
            leftover.unlink()


def refuse(sentence: str) -> NoReturn:
    """One clear sentence, exit non-zero."""
    say(sentence)
    sys.exit(1)


def say(sentence: str) -> None:
    """For the person at the terminal."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
