"""What the operator may set, and what they read when it is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_llm.machine.cores import available, quota_in
from local_llm.models.gguf_header import Header
from local_llm.models.weights import ModelNotFoundError, context_tokens, locate, name_from
from local_llm.prompt.persona import PERSONA, SIZE_LIMIT_BYTES, SoulError, read_soul
from local_llm.settings import BadSettingError, Settings, read_settings


def test_empty_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """`LOCAL_MODEL=` in a .env file is no model of that name."""
    monkeypatch.setenv("LOCAL_MODEL", "")
    monkeypatch.setenv("LOCAL_CONTEXT", "")
    settings = Settings()
    assert settings.local_model == "auto"
    assert settings.local_context is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("LOCAL_CONTEXT", "many"), ("LOCAL_CONTEXT", "10"), ("LOCAL_QUEUE", "0"), ("PILOT_RUN_DIR", "/tmp/" + "x" * 110)],  # noqa: S108  # never created
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """One line names the variable and its value."""
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettingError) as caught:
        read_settings()
    line = str(caught.value)
    assert line.startswith(f"{name}=")
    assert value[:60] in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOCAL_QUEUE", "0"),
        ("LOCAL_ANSWER_SECONDS", "soon"),
        ("LOCAL_MODEL", "/nowhere/none.gguf"),
        ("LOCAL_SOUL", "/nowhere/soul.md"),
        ("PILOT_RUN_DIR", "/proc/nowhere"),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_exit_code_2(tmp_path: Path, name: str, value: str) -> None:
    """On standard error, the variable named, and no traceback."""
    environment = os.environ | {"PILOT_RUN_DIR": str(tmp_path), name: value}
    ended = subprocess.run(
        [sys.executable, "-m", "local_llm"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert name in line
    assert value in line


def test_the_embedded_model_is_found() -> None:
    """`auto` always finds weights, under their true name."""
    weights = locate(Settings(local_model="auto"))
    assert weights.name == "SmolLM2-135M-Instruct"
    assert weights.path.is_file()


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    """No such file, or no model in it: what is wrong, and what to do."""
    with pytest.raises(ModelNotFoundError, match="no such file"):
        locate(Settings(local_model=str(tmp_path / "none.gguf")))
    (tmp_path / "page.gguf").write_bytes(b"<html>404</html>")
    with pytest.raises(ModelNotFoundError, match="not a GGUF file"):
        locate(Settings(local_model=str(tmp_path / "page.gguf")))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct"),
        ("qwen2.5-1.5b-instruct-q4_k_m.gguf", "qwen2.5-1.5b-instruct"),
        ("Phi-3-mini-4k-instruct-q4.gguf", "Phi-3-mini-4k-instruct"),
        ("tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf", "tinyllama-1.1b-chat-v1.0"),
        ("model-IQ3_XXS.gguf", "model"),
        ("my model\r\nX-Evil: 1.gguf", "my-model-X-Evil-1"),
        (".gguf", "local"),
    ],
)
def test_true_name(file: str, name: str) -> None:
    """The name people know the model by, safe in a header."""
    assert name_from(Path(file)) == name


@pytest.mark.parametrize(
    ("wanted", "trained", "tokens"), [(None, 131072, 8192), (None, 2048, 2048), (4096, 8192, 4096), (9999, 2048, 2048)]
)
def test_context(wanted: int | None, trained: int, tokens: int) -> None:
    """Never longer than the model was trained for."""
    header = Header("llama", trained, layers=1, kv_width=1, vocabulary=1, embedding=1, feed_forward=1)
    assert context_tokens(wanted, header) == tokens


@pytest.mark.parametrize(
    ("line", "cores"), [("max 100000\n", None), ("150000 100000\n", 1.5), ("50000 100000", 0.5), ("", None)]
)
def test_cpu_quota(line: str, cores: float | None) -> None:
    """cgroup v2's cpu.max."""
    assert quota_in(line) == cores
    assert available() >= 1


def test_the_soul_is_read(tmp_path: Path) -> None:
    """The file's text; a plain persona when there is none or nothing in it."""
    soul = tmp_path / "SOUL.md"
    soul.write_text("\n# You are Ember.\n")
    assert read_soul(soul) == "# You are Ember."
    soul.write_text(" \n")
    assert read_soul(soul) == PERSONA
    assert read_soul(Path("/dev/null")) == PERSONA
    assert read_soul(None) == PERSONA


def test_a_soul_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    """Missing, huge, or no text: what is wrong, and what to do."""
    soul = tmp_path / "SOUL.md"
    with pytest.raises(SoulError, match="cannot be read"):
        read_soul(soul)
    soul.write_bytes(b"x" * (SIZE_LIMIT_BYTES + 1))
    with pytest.raises(SoulError, match="a few paragraphs"):
        read_soul(soul)
    soul.write_bytes(b"\xff\xfe")
    with pytest.raises(SoulError, match="not UTF-8"):
        read_soul(soul)
