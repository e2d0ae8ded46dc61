"""docs/architecture.md is the map: what it names is there."""

import re
from pathlib import Path

from docs.pages import read
from stack import REPOSITORY

PAGE = "docs/architecture.md"
MOST_LINES = 120
# The page writes a module as Python imports it; this is where it lies.
SOURCES = {"gateway": "gateway/src", "claude_adapter": "claude-adapter/src", "local_llm": "local-llm/src"}
FOLDERS = {path.name for path in REPOSITORY.iterdir() if path.is_dir()}


def place(written: str) -> Path:
    """The file or folder that the page means."""
    first = written.partition("/")[0]
    if first in SOURCES and (REPOSITORY / SOURCES[first] / written).exists():
        return REPOSITORY / SOURCES[first] / written
    return REPOSITORY / written


def paths() -> set[str]:
    """What the page has in backticks that is a path of ours, and not of HTTP."""
    words = re.findall(r"`([\w./{},-]+)`", read(PAGE))
    named = {word for word in words if "/" in word and word.split("/")[0] in FOLDERS | set(SOURCES)}
    files = {word for word in words if re.fullmatch(r"[\w.-]+\.(py|toml|yml|yaml|sh|conf|html)", word)}
    return {each for word in named | files for each in spelled_out(word)}


def spelled_out(path: str) -> list[str]:
    """`a/{b,c}.py` is a/b.py and a/c.py."""
    group = re.search(r"\{([^}]*)\}", path)
    return [path.replace(group[0], each) for each in group[1].split(",")] if group else [path]


def test_every_path_on_the_map_exists() -> None:
    """A module that was moved, split or renamed is moved on the map too."""
    missing = sorted(path for path in paths() if not place(path).exists())
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
