"""Each client's own environment, locked in `environments/`, built when it is missing or its lock has changed.

Python: `<name>.in` says what is wanted, `<name>.txt` is its lock (`uv pip compile`). Node: `<name>/package.json` and
`package-lock.json`; node itself comes from `node.txt`, so that nothing is asked of the distribution.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

LOCKS = Path(__file__).parent / "environments"
BUILT = Path(__file__).parent / ".environments"
UV = shutil.which("uv") or str(Path(__file__).resolve().parents[2] / ".uv" / "bin" / "uv")


def python_environment(name: str) -> Path:
    """The folder of programs of the environment locked in `<name>.txt`; its `python` runs the client."""
    lock = LOCKS / f"{name}.txt"
    folder = BUILT / name
    if stale(folder, lock):
        run(UV, "venv", "--clear", "--quiet", str(folder))
        run(UV, "pip", "install", "--quiet", "--no-deps", "--python", str(folder), "--requirements", str(lock))
        stamp(folder, lock)
    return folder / "bin"


def node_environment(name: str) -> tuple[Path, Path]:
    """The `node` program, and the folder with the packages locked in `<name>/package-lock.json`."""
    node = python_environment("node")
    lock = LOCKS / name / "package-lock.json"
    folder = BUILT / name
    if stale(folder, lock):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(LOCKS / name, folder)
        path = f"{node}:{os.environ['PATH']}"
        run(str(node / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder, PATH=path)
        stamp(folder, lock)
    return node / "node", folder


def stale(folder: Path, lock: Path) -> bool:
    """Whether what stands in `folder` was not built from this lock."""
    built_from = folder / "built-from"
    return not built_from.exists() or built_from.read_text() != fingerprint(lock)


def stamp(folder: Path, lock: Path) -> None:
    """Note what this environment was built from, once it is whole."""
    (folder / "built-from").write_text(fingerprint(lock))


def fingerprint(lock: Path) -> str:
    """What tells one lock from another."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def run(*command: str, cwd: Path | None = None, **environment: str) -> None:
    """Run an installer; fails with what it said."""
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
