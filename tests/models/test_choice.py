"""Which model is taken: the pure decision, the memory it rests on, and the headers it reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import generated_gguf as generated
import pytest
from gguf import GGMLQuantizationType

from local_llm.machine.memory import available_bytes
from local_llm.models import catalogue, gguf_header
from local_llm.models.choose import Candidate, Key, Verdict, choose
from local_llm.models.footprint import SMALLEST_CONTEXT_TOKENS, context_that_fits, need_bytes
from local_llm.models.gguf_header import DamagedError, Header
from local_llm.models.weights import ModelNotFoundError, candidates, embedded, locate
from local_llm.settings import Settings

GB = 2**30
SHAPES = {"phi-3-mini": generated.PHI, "qwen2.5-1.5b": generated.QWEN, "tinyllama-1.1b": generated.TINYLLAMA}


def header_of(shape: generated.Shape) -> Header:
    kv_width = 2 * shape.embedding // shape.heads * shape.kv_heads
    return Header(
        shape.architecture,
        shape.context_tokens,
        shape.layers,
        kv_width,
        shape.vocabulary,
        shape.embedding,
        shape.feed_forward,
    )


def known(name: str, **fields: object) -> Candidate:
    """A model of the catalogue, of its true size and shape."""
    entry = catalogue.named(name)
    assert entry is not None
    header = gguf_header.read(embedded().path) if entry.package else header_of(SHAPES[name])
    candidate = Candidate(
        Key(Path(entry.file), entry.size_bytes, 0),
        name,
        header,
        wanted_context_tokens=min(8192, header.trained_context_tokens or 8192),
        embedded=entry.package is not None,
    )
    return replace(candidate, **fields)  # type: ignore[arg-type]  # a test's shorthand


PHI, QWEN, TINY, SMOL = (known(entry.name) for entry in catalogue.entries())
ALL = [SMOL, PHI, TINY, QWEN]
FAST, SLOW = Verdict(tokens_per_second=20), Verdict(tokens_per_second=3.9)
CRASHED = Verdict(problem="crashed when it was tried (SIGSEGV)")

CHOICES = [
    # why, present, room in GB, verdicts, minimum rate, who, context, who is passed over
    ("plenty", ALL, 8.0, {}, 4, PHI, 4096, []),
    ("a container of 4 GB", ALL, 4 - 0.6, {}, 4, PHI, 2048, []),
    ("a container of 2.5 GB", ALL, 2.5 - 0.6, {}, 4, QWEN, 8192, [PHI]),
    ("a container of 1.5 GB", ALL, 1.5 - 0.6, {}, 4, TINY, 2048, [PHI, QWEN]),
    ("a container of 0.5 GB", ALL, 0.5 - 0.1, {}, 4, SMOL, 8192, [PHI, QWEN, TINY]),
    ("hardly any memory", ALL, 0.1, {}, 4, SMOL, 2048, [PHI, QWEN, TINY]),
    ("no memory at all", ALL, -1.0, {}, 4, SMOL, 2048, [PHI, QWEN, TINY]),
    ("nothing fetched", [SMOL], 8.0, {}, 4, SMOL, 8192, []),
    ("the largest is slow", ALL, 8.0, {PHI.key: SLOW}, 4, QWEN, 8192, [PHI]),
    ("slow, but let be", ALL, 8.0, {PHI.key: SLOW}, 3, PHI, 4096, []),
    ("fast enough", ALL, 8.0, {PHI.key: Verdict(tokens_per_second=4)}, 4, PHI, 4096, []),
    ("it crashes, the next is slow", ALL, 8.0, {PHI.key: CRASHED, QWEN.key: SLOW}, 4, TINY, 2048, [PHI, QWEN]),
    ("all slow", ALL, 8.0, {each.key: SLOW for each in ALL}, 4, SMOL, 8192, [PHI, QWEN, TINY]),
    ("half a download", [SMOL, replace(QWEN, header=None, damage="is half")], 8.0, {}, 4, SMOL, 8192, [QWEN]),
    ("smaller than the embedded", [SMOL, replace(TINY, key=Key(Path("t"), 1000, 0))], 8.0, {}, 4, SMOL, 8192, []),
    ("a fixed context", [SMOL, replace(QWEN, context_is_fixed=True)], 1.4, {}, 4, SMOL, 8192, [QWEN]),
    ("asked for: size is no bar", [SMOL, replace(PHI, asked_for=True)], 1.0, {}, 4, PHI, 4096, []),
    ("asked for: speed neither", [SMOL, replace(PHI, asked_for=True)], 8.0, {PHI.key: SLOW}, 4, PHI, 4096, []),
    ("asked for, but it crashes", [SMOL, replace(PHI, asked_for=True)], 8.0, {PHI.key: CRASHED}, 4, SMOL, 8192, [PHI]),
]


@pytest.mark.parametrize(
    ("why", "present", "room_gb", "verdicts", "minimum", "who", "context_tokens", "passed_over"),
    CHOICES,
    ids=[case[0] for case in CHOICES],
)
def test_choice(
    why: str,
    present: list[Candidate],
    room_gb: float,
    verdicts: dict[Key, Verdict],
    minimum: float,
    who: Candidate,
    context_tokens: int,
    passed_over: list[Candidate],
) -> None:
    """The largest that fits and is fast enough; the embedded one always remains; a word on each one passed over."""
    choice = choose(present, int(room_gb * GB), verdicts, minimum)
    assert choice.candidate.name == who.name, choice.passed_over
    assert choice.context_tokens == context_tokens
    assert set(choice.passed_over) == {each.name for each in passed_over}
    assert all(choice.passed_over.values())


def test_the_one_that_is_on_fits() -> None:
    """The room is only reckoned: it never takes off what is loaded, but a larger one still needs its room."""
    choice = choose(ALL, int(0.2 * GB), {}, 4, on=QWEN.key)
    assert choice.candidate.name == QWEN.name
    assert set(choice.passed_over) == {PHI.name}


@pytest.mark.parametrize("entry", catalogue.entries(), ids=lambda entry: entry.name)
def test_the_catalogue_tells_the_memory(entry: catalogue.Entry) -> None:
    """What it says is what a file of this size and shape is reckoned with."""
    candidate = known(entry.name)
    assert candidate.need_bytes(SMALLEST_CONTEXT_TOKENS) == pytest.approx(entry.ram_mb * 1e6, rel=0.1)
    assert entry.context_tokens == candidate.wanted_context_tokens


def test_the_context_shrinks_before_a_model_is_given_up() -> None:
    """Halved until it fits, but not below what is of use."""
    header, size = header_of(generated.PHI), 2_393_231_072
    for wanted, room, fits in ((4096, 4 * GB, 4096), (4096, int(3.4 * GB), 2048), (4096, 3 * GB, None)):
        assert context_that_fits(header, size, wanted, room) == fits
    assert need_bytes(header, size, 4096) - need_bytes(header, size, 2048) == 2048 * 32 * 2 * 3072 * 2


def fake_root(root: Path, available_mb: int, groups: dict[str, tuple[str, str, str]], own: str) -> Path:
    """proc and sys as a kernel shows them. Group directory to limit, usage and statistics."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available_mb * 1024} kB\n")
    (root / "proc/self/cgroup").write_text(own)
    for path, (limit, usage, statistics) in groups.items():
        directory = root / "sys/fs/cgroup" / path
        directory.mkdir(parents=True, exist_ok=True)
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes") if "memory" in path else ("memory.max", "memory.current")
        )
        for name, text in zip((*names, "memory.stat"), (limit, usage, statistics), strict=True):
            (directory / name).write_text(text + "\n")
    return root


MB = 2**20
MEMORIES = [
    # why, machine's MB, groups, our line, MB left
    ("no container", 3000, {}, "0::/", 3000),
    ("no limit", 3000, {"a": ("max", "5", "")}, "0::/a", 3000),
    ("a limit", 3000, {"a": (str(1500 * MB), str(200 * MB), "anon 1")}, "0::/a", 1300),
    ("a limit above us", 3000, {"a": (str(1000 * MB), "0", ""), "a/b": ("max", "0", "")}, "0::/a/b", 1000),
    ("the machine is tighter", 700, {"a": (str(1500 * MB), "0", "")}, "0::/a", 700),
    (
        "files count as free",
        3000,
        {"a": (str(1000 * MB), str(900 * MB), f"inactive_file {300 * MB}\nactive_file {100 * MB}")},
        "0::/a",
        500,
    ),
    ("our own group is the root we see", 3000, {"": (str(512 * MB), str(12 * MB), "")}, "0::/", 500),
    ("a host's path in a container", 3000, {"": (str(512 * MB), str(12 * MB), "")}, "0::/docker/x", 500),
    (
        "cgroup v1",
        3000,
        {"memory/x": (str(800 * MB), str(300 * MB), f"total_inactive_file {100 * MB}")},
        "4:memory:/x\n0::/",
        600,
    ),
    ("cgroup v1, no limit", 3000, {"memory/x": (str(2**63 - 4096), "0", "")}, "4:memory:/x", 3000),
    ("over the limit", 3000, {"a": (str(100 * MB), str(200 * MB), "")}, "0::/a", 0),
]


@pytest.mark.parametrize(
    ("why", "machine_mb", "groups", "own", "left_mb"), MEMORIES, ids=[case[0] for case in MEMORIES]
)
def test_memory(
    why: str, machine_mb: int, groups: dict[str, tuple[str, str, str]], own: str, left_mb: int, tmp_path: Path
) -> None:
    """The tightest of the machine and all the limits above us, less what is used, and files are not used."""
    assert available_bytes(fake_root(tmp_path, machine_mb, groups, own)) == left_mb * MB


def test_a_header(tmp_path: Path) -> None:
    """Read without llama.cpp, and the same as was written."""
    path = generated.write(tmp_path / "qwen.gguf", generated.QWEN, weights=GGMLQuantizationType.Q4_K, hollow=True)
    assert gguf_header.read(path) == header_of(generated.QWEN)
    assert path.stat().st_blocks * 512 < path.stat().st_size / 10, "hollow"


def test_damaged_files_are_told(tmp_path: Path) -> None:
    """However they are cut or broken: a word, never another error."""
    whole = generated.write(tmp_path / "whole.gguf", generated.small(generated.PHI)).read_bytes()
    path = tmp_path / "damaged.gguf"
    for length in (0, 3, 4, 20, 100, 5_000, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedError):
            gguf_header.read(path)
    for place in range(4, 3_000, 7):
        broken = bytearray(whole)
        broken[place : place + 8] = b"\xff" * 8
        path.write_bytes(broken)
        try:
            gguf_header.read(path)
        except DamagedError:
            continue


def test_what_is_present(tmp_path: Path) -> None:
    """Everything in the models directory, and the embedded one; a partial download is not there yet."""
    generated.write(tmp_path / "a-model-Q4_K_M.gguf", generated.small(generated.QWEN))
    (tmp_path / "half.gguf").write_bytes(b"GGUF")
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "b.gguf.0123").write_bytes(b"GGUF")
    found = {each.name: each for each in candidates(Settings(local_models=tmp_path))}
    assert set(found) == {"SmolLM2-135M-Instruct", "a-model", "half"}
    assert found["SmolLM2-135M-Instruct"].embedded
    assert found["half"].damage
    assert found["a-model"].header


@pytest.mark.parametrize("wanted", ["qwen2.5-1.5b", "someone/Some-GGUF/qwen2.5-1.5b-instruct-q4_k_m.gguf"])
def test_a_model_by_name(wanted: str, tmp_path: Path) -> None:
    """Found in the models directory once it is there; before that, how to get it."""
    settings = Settings(local_model=wanted, local_models=tmp_path)
    with pytest.raises(ModelNotFoundError, match=f"make model NAME={wanted}"):
        locate(settings)
    path = generated.write(tmp_path / "qwen2.5-1.5b-instruct-q4_k_m.gguf", generated.small(generated.QWEN))
    assert locate(settings).path == path
    assert [each.asked_for for each in candidates(settings)] == [False, True]
    assert locate(Settings(local_model="smollm2-135m")) == embedded()
