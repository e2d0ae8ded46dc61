"""docs/models.md is held to the catalogue of local models."""

import tomllib

from docs.pages import read, table
from stack import REPOSITORY


def test_every_model_of_the_catalogue_is_on_the_page() -> None:
    """In the catalogue's order, with what it takes to fetch and to run it."""
    (catalogue,) = (REPOSITORY / "local-llm" / "src").rglob("models.toml")
    rows = [
        (f"`{model['name']}`", f"{model['size_bytes'] / 1e9:.1f} GB" if "repository" in model else "embedded")
        for model in tomllib.loads(catalogue.read_text())["model"]
    ]
    assert [(row[0], row[2]) for row in table(read("docs/models.md"), "name")] == rows
