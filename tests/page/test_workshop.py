"""The samples of docs/workshop.md, run as they are and opened in Chromium, and the page that shows them."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from page.watching import PATIENCE_MILLISECONDS, opened
from stack import REPOSITORY, Stack, free_port, wait_for

SAMPLES = REPOSITORY / "docs" / "workshop"
PILOT_KEY = "correct-horse-battery-1"
HTMX = Path("/usr/share/javascript/htmx/htmx.min.js")
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; frame-src 'none'"


@pytest.fixture(scope="module")
def pilot() -> Iterator[Stack]:
    """A Pilot Light with a key, and the local model answering."""
    with Stack(PILOT_KEYS=PILOT_KEY) as stack:
        stack.client.headers["x-api-key"] = PILOT_KEY
        yield stack


@contextlib.contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[str]:
    """A program of the sample's, until it listens; gives its address."""
    process = subprocess.Popen(command, env=os.environ | environment)

    def listens() -> bool:
        assert process.poll() is None, f"{command} has ended"
        with socket.socket() as knock:
            return knock.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for("the sample listens", listens)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def dashboard(pilot: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An nginx that serves the samples' pages and holds custom_element.conf."""
    folder, port = tmp_path_factory.mktemp("dashboard"), free_port()
    location = (SAMPLES / "custom_element.conf").read_text()
    location = location.replace("PILOT_LIGHT", pilot.url).replace("PILOT_KEY", PILOT_KEY)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"""daemon off; {user} pid {folder}/pid; error_log stderr error;
events {{ }}
http {{
    types {{ text/html html; text/javascript js; }}
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port};
        location / {{ root {SAMPLES}; add_header Content-Security-Policy "{POLICY}"; }}
        {location}
    }}
}}""")
    where = subprocess.run([REPOSITORY / "nginx" / "start.sh", "--where"], capture_output=True, text=True, check=True)
    nginx = [where.stdout.strip(), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    with running(nginx, port) as url:
        yield url


def test_the_fragment_through_a_backend(browser: Browser, pilot: Stack) -> None:
    """HTMX takes in the fragment, follows a stopped gateway, and comes back; the key never reaches the browser."""
    if not HTMX.exists():
        missing = "HTMX is not installed, so its sample is not tested: apt-get install libjs-htmx."
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "fragment_proxy:app", "--app-dir", str(SAMPLES)]
    command += ["--port", str(port), "--log-level", "warning"]
    settings = {"PILOT_LIGHT": pilot.url, "PILOT_KEY": PILOT_KEY, "HTMX_FILE": str(HTMX)}
    with running(command, port, **settings) as url, opened(browser, url) as page:
        light = page.locator(".pilot-light")
        expect(light).to_have_class("pilot-light pilot-light--local", timeout=PATIENCE_MILLISECONDS)
        expect(light).to_contain_text("SmolLM2-135M-Instruct")
        expect(light).to_contain_text("No API key is set")
        pilot.supervise("stop", "gateway")
        try:
            expect(light).to_have_class("pilot-light pilot-light--lost", timeout=PATIENCE_MILLISECONDS)
        finally:
            pilot.supervise("start", "gateway")
        expect(light).to_have_class("pilot-light pilot-light--local", timeout=PATIENCE_MILLISECONDS)
        assert PILOT_KEY not in page.content()


def test_the_custom_element_behind_the_same_origin(browser: Browser, dashboard: str, pilot: Stack) -> None:
    """Live under a strict policy: local, lost while the gateway is away, and local again."""
    with opened(browser, f"{dashboard}/custom_element.html") as page:
        light = page.locator("pilot-light")
        expect(light).to_have_attribute("data-state", "local", timeout=PATIENCE_MILLISECONDS)
        expect(light).to_contain_text("local model")
        pilot.supervise("stop", "gateway")
        try:
            expect(light).to_have_attribute("data-state", "lost", timeout=PATIENCE_MILLISECONDS)
        finally:
            pilot.supervise("start", "gateway")
        expect(light).to_have_attribute("data-state", "local", timeout=PATIENCE_MILLISECONDS)


def test_the_json_poll(browser: Browser, dashboard: str) -> None:
    """A few lines of script show the active backend."""
    with opened(browser, f"{dashboard}/json_poll.html") as page:
        expect(page.locator("#brain")).to_have_text("local", timeout=PATIENCE_MILLISECONDS)


def test_the_page_shows_the_samples_as_they_are() -> None:
    """Each file in full, under its name, and no other."""
    shown = dict(
        re.findall(
            r"^`docs/workshop/([^`\n]+)`\n\n```\w+\n(.*?)```$",
            (REPOSITORY / "docs" / "workshop.md").read_text(),
            re.MULTILINE | re.DOTALL,
        )
    )
    assert shown == {file.name: file.read_text() for file in SAMPLES.iterdir() if file.is_file()}
