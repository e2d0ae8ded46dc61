"""A client's program in its own environment, led line by line."""

import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clients.environments import node_environment, python_environment
from stack import clean_environment

PROGRAMS = Path(__file__).parent / "programs"
ANSWER_SECONDS = 60.0


def environment() -> dict[str, str]:
    """As a person's, without any key. Bytecode is kept: command lines start often."""
    return clean_environment() | {"PYTHONDONTWRITEBYTECODE": ""}


class Talk:
    """Starts `program` (`name.py` or `name.mjs`, see dialogue.py) in the environment `where`; ends with the context."""

    def __init__(self, where: str, program: str, *arguments: str, base_url: str) -> None:
        if program.endswith(".mjs"):
            node, folder = node_environment(where)
            for each in PROGRAMS.glob("*.mjs"):  # node looks for packages beside the program
                shutil.copy(each, folder)
            command = [str(node), str(folder / program), *arguments]
        else:
            command = [str(python_environment(where) / "python"), str(PROGRAMS / program), *arguments]
        self._process = subprocess.Popen(
            command,
            env=environment() | {"BASE_URL": base_url, "LANGSMITH_TRACING": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, do: str, text: str | None = None) -> dict[str, Any]:
        """Have it do one thing; what it answered. Fails when it says nothing in time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do} | ({} if text is None else {"text": text})) + "\n")
        self._process.stdin.flush()
        readable, _, _ = select.select([self._process.stdout], [], [], ANSWER_SECONDS)
        line = self._process.stdout.readline() if readable else ""
        assert line, f"no answer to {do}: {self._end()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def say(self, do: str, text: str) -> str:
        """Have it ask, and the text that it got. Fails when it got an error."""
        answer = self(do, text)
        assert "error" not in answer, answer
        said: str = answer["text"]
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> str:
        self._process.kill()
        return self._process.communicate()[1]


def run(where: str, program: str, *arguments: str, cwd: Path, **variables: str) -> str:
    """Run a client's own command line to its end; what it printed, on both outputs."""
    folder = python_environment(where)
    done = subprocess.run(
        [str(folder / program), *arguments],
        cwd=cwd,
        env=environment() | {"PATH": f"{folder}:{os.environ['PATH']}"} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{program} {arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
