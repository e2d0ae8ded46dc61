"""docs/architecture.md is the map: what it names is there."""

import re
from pathlib import Path

import pytest

from docs.pages import read
from stack import REPOSITORY

PAGE = "docs/architecture.md"
MOST_LINES = 120
# The page writes a module as Python imports it; this is where it lies.
SOURCES = {"gateway": "gateway/src", "claude_adapter": "claude-adapter/src", "local_llm": "local-llm/src"}
FOLDERS = {path.name for path in REPOSITORY.iterdir() if path.is_dir()}


def places(written: str) -> list[Path]:
    """The file or folder that the page means; for a bare file name (`settings.py`) that of each service."""
    first, slash, _ = written.partition("/")
    if not slash:
        return [REPOSITORY / source / service / written for service, source in SOURCES.items()]
    in_sources = REPOSITORY / SOURCES.get(first, "") / written
    return [in_sources if in_sources.exists() else REPOSITORY / written]


def paths(page: str) -> set[str]:
    """What the page has in backticks that is a path of ours, and not of HTTP."""
    words = re.findall(r"`([\w./-]+)`", read(page))
    below = {word for word in words if "/" in word and word.split("/")[0] in FOLDERS | set(SOURCES)}
    return below | {word for word in words if re.fullmatch(r"\w+\.py", word)}


@pytest.mark.parametrize("page", [PAGE, *(f"{source.partition('/')[0]}/README.md" for source in SOURCES.values())])
def test_every_path_on_the_map_exists(page: str) -> None:
    """A module that was moved, split or renamed is moved there too."""
    missing = sorted(path for path in paths(page) if not all(place.exists() for place in places(path)))
    assert not missing, "\n".join(missing)


def test_the_map_has_every_package() -> None:
    """A folder of a service that the map does not name would be one more to guess at."""
    packages = {
        f"{service}/{folder.name}"
        for service, source in SOURCES.items()
        for folder in (REPOSITORY / source / service).iterdir()
        if (folder / "__init__.py").exists()
    }
    text = read(PAGE)
    assert not sorted(package for package in packages if f"`{package}/" not in text)


def test_the_map_names_every_socket() -> None:
    """Those in nginx.conf, which connects them."""
    sockets = set(re.findall(r"[\w-]+\.sock\b", read("nginx/nginx.conf")))
    assert sockets == set(re.findall(r"[\w-]+\.sock\b", read(PAGE)))


def test_the_map_fits_two_screens() -> None:
    """A map that is not read is none."""
    assert len(read(PAGE).splitlines()) <= MOST_LINES
