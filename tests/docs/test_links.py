"""No link leads nowhere, and nothing in the repository names a page that is not there."""

import re
from pathlib import Path

import pytest

from docs.pages import PAGES, PARTS, anchors, read
from stack import REPOSITORY

# What a person may follow to a page: comments, error sentences, alerts, the dashboard.
NAMING = {".py", ".md", ".yml", ".yaml", ".sh", ".conf", ".toml", ".json", ".html", ".js", ".css", ""}
ELSEWHERE = {".git", ".venv", ".uv", ".run", "node_modules", "models", "golden", "environments", ".environments"}


def links(page: Path) -> list[str]:
    """The targets of its links and pictures, outside code, that are in this repository."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not re.match(r"https?:", target)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """The file or folder exists, and the heading in it too."""
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert file.is_relative_to(REPOSITORY), target
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), target


def test_every_page_can_be_found() -> None:
    """From the README, in one step or two: what nobody links to nobody reads."""
    readme = REPOSITORY / "README.md"
    found, new = {readme}, {readme}
    for _ in range(2):
        reached = {(page.parent / target.partition("#")[0]).resolve() for page in new for target in links(page)}
        new = {path / "README.md" if path.is_dir() else path for path in reached}
        new = {path for path in new if path.suffix == ".md" and path.exists()} - found
        found |= new
    assert set((REPOSITORY / "docs").glob("*.md")) <= found
    assert {REPOSITORY / part / "README.md" for part in PARTS} <= found


def tracked() -> list[Path]:
    """Every file of ours that may name a page."""
    return [
        path
        for path in REPOSITORY.rglob("*")
        if path.suffix in NAMING
        and not ELSEWHERE.intersection(path.relative_to(REPOSITORY).parts)
        and not any(part.endswith("_cache") for part in path.parts)
        and path.name != "uv.lock"
        and path.is_file()
    ]


def test_what_is_named_elsewhere_is_there() -> None:
    """A comment, a sentence or an alert that says `docs/<page>.md#<heading>` is right."""
    for path in tracked():
        for page, anchor in re.findall(r"(?<![\w/'])(docs/[\w-]+\.md)(?:#([\w-]+))?", path.read_text(encoding="utf-8")):
            if page == "docs/gguf.md":  # ggml's own
                continue
            assert (REPOSITORY / page).exists(), f"{path} names {page}"
            assert not anchor or anchor in anchors(read(page)), f"{path} names {page}#{anchor}"
