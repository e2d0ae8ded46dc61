"""The documentation as data: its pages, their tables and their headings."""

import re

from stack import REPOSITORY

PARTS = ("gateway", "claude-adapter", "local-llm", "nginx", "native", "tests")
PAGES = sorted(
    {
        REPOSITORY / "README.md",
        *(REPOSITORY / "docs").glob("*.md"),
        *(page for page in REPOSITORY.glob("[a-z]*/README.md")),
        *(page for page in (REPOSITORY / "tests").rglob("README.md") if ".environments" not in page.parts),
    }
)


def read(path: str) -> str:
    """A page, by its path from the repository's root."""
    return (REPOSITORY / path).read_text(encoding="utf-8")


def table(text: str, first_header: str) -> list[list[str]]:
    """The cells of the table whose first column has this header, row by row."""
    found = re.search(rf"^\| {re.escape(first_header)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found, f"no table headed '{first_header}'"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


def anchors(text: str) -> set[str]:
    """What a link may name behind its `#`: each heading as GitHub writes it."""
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", without_code, re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        while (name := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(name)
    return found
