"""Settings come from the environment, and a bad one is explained."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from claude_adapter.settings import Settings, explain


def test_empty_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """`.env` files have lines like `CLAUDE_MODEL=`; they mean the default."""
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    settings = Settings()
    assert settings.claude_model == "claude-sonnet-5-5"
    assert settings.anthropic_api_key is None
    assert settings.pilot_run_dir == Path(".run")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ANTHROPIC_BASE_URL", "api.anthropic.com", "plain http(s) address"),
        ("CLAUDE_STALL_SECONDS", "0", "greater than 0"),
        ("CLAUDE_PROBE_SECONDS", "soon", "valid number"),
        ("CLAUDE_MAX_TOKENS", "-1", "greater than 0"),
        ("PILOT_ALIASES", "gpt-4o", "gpt-4o must be a pair such as"),
        ("PILOT_ALIASES", "gpt-4o=llama", "gpt-4o must be a pair such as"),
    ],
)
def test_bad_setting_is_explained(monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str) -> None:
    """The message names the variable and what it must be."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert explain(caught.value).startswith(f"{name}: ")
    assert words in explain(caught.value)
