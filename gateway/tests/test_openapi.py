"""The published description: complete, and true to what there is."""

import re
from pathlib import Path
from typing import Any

import schemathesis
from fastapi import FastAPI
from fastapi.routing import APIRoute

from gateway.api_docs.openapi import PATHS, describe
from gateway.api_docs.page import reference_page
from gateway.api_docs.schemas import SCHEMAS
from gateway.app import create_app
from gateway.settings import Settings
from gateway.status.routes import router as status_pages

DOCUMENT = describe("Pilot Light", "1")
# Not the API: what describes it, and what the pages consist of. Metrics are nginx's other port's to show.
NOT_DESCRIBED = {"/docs", "/page/{name}", "/pilot-light.js", "/metrics"}


def served() -> set[str]:
    """The paths that FastAPI serves."""
    entrance = create_app(Settings(pilot_run_dir=Path("/nowhere")))
    app = next(cell.cell_contents for cell in entrance.__closure__ or () if isinstance(cell.cell_contents, FastAPI))
    return {route.path for route in (*app.routes, *status_pages.routes) if isinstance(route, APIRoute)}


def test_every_path_is_described() -> None:
    """What is read is FastAPI's; what is asked bypasses it."""
    read = {path for path in served() if not path.startswith(("/anthropic/", "/claude/"))}
    assert read - NOT_DESCRIBED == {path for path, item in PATHS.items() if "get" in item}
    for base in ("/anthropic/v1", "/claude/v1", "/claude/anthropic/v1"):
        under = {f"/v1{path.removeprefix(base)}" for path in served() if path.startswith(base)}
        assert under == {path for path, item in PATHS.items() if "servers" in item and "get" in item}


def test_the_document_is_openapi() -> None:
    """Of the version that it says."""
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_every_shape_is_meant() -> None:
    """None that is meant is missing, and none is there that no operation means."""
    meant = set(re.findall(r"'#/components/schemas/(\w+)'", str(DOCUMENT)))
    assert meant == set(SCHEMAS)


def test_the_page_shows_every_operation_and_answer() -> None:
    """With an anchor for each link."""
    page = reference_page(DOCUMENT)
    for path, item in PATHS.items():
        for method in item.keys() - {"servers"}:
            operation: Any = item[method]
            assert page.count(f"{method.upper()} {path}</code>") == 2
            for answer in operation["responses"].values():
                assert re.sub("`([^`]+)`", r"<code>\1</code>", answer["description"]) in page
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!/|#)', page)
