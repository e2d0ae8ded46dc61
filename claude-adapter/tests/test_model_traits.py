"""What a model takes, told by its name."""

import pytest

from claude_adapter.translation.model_traits import traits_of


@pytest.mark.parametrize(
    ("model", "family", "version"),
    [
        ("claude-sonnet-5-5", "sonnet", (5, 5)),
        ("claude-opus-5", "opus", (5, 0)),
        ("claude-sonnet-4-5-20250929", "sonnet", (4, 5)),
        ("claude-sonnet-4-20250514", "sonnet", (4, 0)),
        ("claude-3-7-sonnet-20250219", "sonnet", (3, 7)),
        ("claude-3-5-haiku-latest", "haiku", (3, 5)),
        ("claude-3-opus-20240229", "opus", (3, 0)),
        ("claude-mythos-preview", "", (99, 0)),
        ("claude-next", "", (99, 0)),
    ],
)
def test_names(model: str, family: str, version: tuple[int, int]) -> None:
    """Both orders of the name are read, a date is no minor version, and the unknown counts as the newest."""
    assert traits_of(model) == (family, version)


def test_generations() -> None:
    """The lines between the generations lie where Anthropic drew them."""
    names = ["claude-haiku-4-5", "claude-opus-4-6", "claude-opus-4-7", "claude-sonnet-5", "claude-sonnet-5-5"]
    traits = [traits_of(name) for name in names]
    assert [one.takes_sampling for one in traits] == [True, True, False, False, False]
    assert [one.thinks_adaptively for one in traits] == [False, True, True, True, True]
    assert [one.thinks_unasked for one in traits] == [False, False, False, True, True]
    assert [one.takes_forced_tool for one in traits] == [True, True, True, True, False]
    assert traits_of("claude-haiku-5-5").takes_forced_tool
    assert [traits_of(f"claude-fable-{version}").takes_forced_tool for version in ("5", "5-1")] == [True, False]
    schemas = ["claude-sonnet-4", "claude-opus-4-1", "claude-sonnet-4-5"]
    assert [traits_of(name).takes_output_schema for name in schemas] == [False, True, True]
