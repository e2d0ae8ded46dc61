"""Get a model: `python -m local_llm.models.fetch [NAME | owner/repository/file.gguf]`; with no name, list them.

The file appears under its own name when it is whole and its checksum is right, and not before: what serves never sees
half of it. What an interrupted run has got is kept, and the next run goes on from there.

`hf_hub_download` is not used: since huggingface_hub 2 it starts from nothing each time, and it checks no checksum.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import httpx2
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    FileMetadataError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers, logging  # type: ignore[attr-defined]  # its export list is made lazily

from local_llm.models import catalogue
from local_llm.models.fetch_words import Lines, listing, megabytes, say
from local_llm.settings import BadSettingError, read_settings

SPARE_DISK_BYTES = 256 << 20  # a full disk would stop the rest of the machine
PARTIAL = ".partial"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ELSEWHERE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)/(?P<file>(?:[\w.+-]+/)*[\w.+-]+\.gguf)", re.ASCII)
_HASHED_AT_ONCE_BYTES = 1 << 20


class FetchError(Exception):
    """The model was not got. The message is for the person who asked: what, why, what to do."""


@dataclass(frozen=True)
class Wanted:
    """A file on the hub. Size and checksum are None until the hub has named them."""

    name: str
    repository: str
    revision: str
    file: str
    size_bytes: int | None = None
    sha256: str | None = None

    @property
    def file_name(self) -> str:
        """Its name in the models directory, without the folders it lies in on the hub."""
        return self.file.rpartition("/")[2]


def wanted(name: str) -> Wanted:
    """What a name stands for. Raises `FetchError` with the names there are."""
    entry = catalogue.named(name)
    if entry is not None and entry.repository is not None:
        return Wanted(entry.name, entry.repository, entry.revision, entry.file, entry.size_bytes, entry.sha256)
    if entry is not None:
        raise FetchError(f"{entry.name} is embedded: it is always here and need not be fetched.")
    if elsewhere := _ELSEWHERE.fullmatch(name):
        return Wanted(name, elsewhere["repository"], "main", elsewhere["file"])
    names = ", ".join(each.name for each in catalogue.entries() if each.repository)
    raise FetchError(
        f"There is no model named {name}. Known are {names}; any other is named as owner/repository/file.gguf."
    )


def fetch(name: str, directory: Path) -> Path:
    """Get a model into the directory, or find it there already. Blocking. Raises `FetchError`."""
    want = wanted(name)
    try:
        with _alone(directory):
            return _fetch(want, directory)
    except FetchError:
        raise
    except OSError as error:
        # The library's own errors are OSErrors too, with long messages that quote headers.
        if isinstance(error, HfHubHTTPError) or error.errno is None:
            raise FetchError(f"{want.name} could not be fetched: {_first_line(error)} Try again later.") from None
        raise FetchError(_disk_sentence(want, directory, error)) from None


def _fetch(want: Wanted, directory: Path) -> Path:
    target = directory / want.file_name
    if _is_there(target, want):  # asked first without the hub, which may be out of reach
        return target
    url = hf_hub_url(want.repository, want.file, revision=want.revision)
    want = _as_the_hub_has_it(want, url)
    if want.size_bytes is None or want.sha256 is None:
        raise FetchError(
            f"{constants.ENDPOINT} names no size and checksum for {want.file}, so it could not be checked and was not "
            "fetched. Check HF_ENDPOINT."
        )
    if _is_there(target, want):
        return target
    partial = directory / PARTIAL / f"{want.file_name}.{want.sha256[:16]}"
    have = partial.stat().st_size if partial.is_file() else 0
    if have > want.size_bytes:
        partial.unlink()
        have = 0
    _check_room(want.name, want.size_bytes - have, directory)
    if have < want.size_bytes:
        verb = f"Going on at {megabytes(have)} of" if have else "Fetching"
        say(f"{verb} {megabytes(want.size_bytes)}: {want.name} from {constants.ENDPOINT}/{want.repository}")
        _download(want, url, partial, have)
    if _sha256(partial) != want.sha256:
        partial.unlink()
        raise FetchError(
            f"{want.name} was damaged on the way: its checksum is wrong. It was thrown away, and nothing else has "
            "changed. Run it again; if that repeats, the mirror or proxy in between is at fault."
        )
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.chmod(0o644)
    partial.replace(target)
    say(f"{want.name} is here: {target}")
    return target


def _is_there(target: Path, want: Wanted) -> bool:
    if want.sha256 is None or not target.is_file() or target.stat().st_size != want.size_bytes:
        return False
    if _sha256(target) != want.sha256:
        return False
    say(f"{want.name} is here already: {target}")
    return True


def _as_the_hub_has_it(want: Wanted, url: str) -> Wanted:
    """Size and checksum from the hub, which must be the catalogue's. Raises `FetchError`."""
    try:
        metadata = get_hf_file_metadata(url, retry_on_errors=False)
    except Exception as error:  # noqa: BLE001  # sorted into sentences there; what is none of them is raised again
        _refuse(want, error)
    sha256 = metadata.etag if metadata.etag and _SHA256.fullmatch(metadata.etag) else None
    if want.sha256 and (want.sha256, want.size_bytes) != (sha256 or want.sha256, metadata.size or want.size_bytes):
        raise FetchError(
            f"{constants.ENDPOINT} has another {want.file} than the one Pilot Light knows. Nothing was fetched. "
            "Leave HF_ENDPOINT unset, or name another mirror in it."
        )
    return replace(want, size_bytes=want.size_bytes or metadata.size, sha256=want.sha256 or sha256)


def _download(want: Wanted, url: str, partial: Path, have: int) -> None:
    try:
        with partial.open("ab") as file:
            http_get(
                url,
                file,
                resume_size=have,
                headers=build_hf_headers() | {"Accept-Encoding": "identity"},
                expected_size=want.size_bytes,
                displayed_filename=want.name,
                tqdm_class=None if sys.stderr.isatty() else Lines,
            )
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            partial.unlink()  # a disk that is full harms everybody
        if error.errno is not None:
            raise
        _refuse(want, error)
    except (KeyboardInterrupt, SystemExit):
        raise FetchError(
            f"Interrupted. {megabytes(partial.stat().st_size)} of {megabytes(want.size_bytes or 0)} are kept: the same "
            "command goes on from there."
        ) from None
    except Exception as error:  # noqa: BLE001  # as above
        _refuse(want, error)


def _refuse(want: Wanted, error: Exception) -> NoReturn:
    """What went wrong between us and the hub, as a sentence."""
    endpoint = constants.ENDPOINT
    kept = "What has come so far is kept: the same command goes on from there."
    match error:
        case RepositoryNotFoundError():
            sentence = (
                f"{endpoint} has no open repository {want.repository}. Check the name; a closed one needs HF_TOKEN."
            )
        case RemoteEntryNotFoundError():
            sentence = (
                f"{want.repository} has no file {want.file}. Its files are listed at {endpoint}/{want.repository}."
            )
        case RevisionNotFoundError():
            sentence = f"{endpoint} has no revision {want.revision} of {want.repository}."
        case OfflineModeIsEnabled():
            sentence = "HF_HUB_OFFLINE forbids the network. Unset it, and run this again."
        case HFValidationError():
            sentence = f"{want.repository} is no name of a repository."
        case FileMetadataError():
            sentence = f"{endpoint} does not answer as a Hugging Face hub does. Check HF_ENDPOINT and the proxy."
        case HfHubHTTPError():
            status = error.response.status_code
            advice = "Check HF_TOKEN." if status in (401, 403) else f"Try again later. {kept}"
            sentence = f"{endpoint} answered {status} for {want.name}. {advice}"
        case httpx2.TransportError():
            sentence = (
                f"{endpoint} could not be reached, or broke off. Check this machine's network, or name a mirror in "
                f"HF_ENDPOINT. {kept}"
            )
        case OSError():
            sentence = f"{endpoint} sent another length than it had named. {kept}"
        case _:
            raise error
    raise FetchError(sentence) from None


def _check_room(name: str, missing_bytes: int, directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < missing_bytes + SPARE_DISK_BYTES:
        raise FetchError(
            f"{name} needs {megabytes(missing_bytes + SPARE_DISK_BYTES)} of disk in {directory}, and {megabytes(free)} "
            "are free. Make room, or set LOCAL_MODELS to a directory on another disk. Nothing was fetched."
        )


def _disk_sentence(want: Wanted, directory: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk of {directory} is full. What came of {want.name} was thrown away. Make room, and run this again."
        )
    return f"{want.name} cannot be put into {directory}: {error.strerror}. Check the directory, or change LOCAL_MODELS."


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two downloads at one time would write into one file."""
    (directory / PARTIAL).mkdir(parents=True, exist_ok=True)
    with (directory / PARTIAL / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FetchError(f"Another download into {directory} is running. Wait for its end, or stop it.") from None
        yield


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASHED_AT_ONCE_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".") + "."


def main() -> int:
    """Fetch what the first argument names. Returns the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it quotes addresses with signatures in its warnings
    try:
        directory = read_settings().local_models
    except BadSettingError as error:
        say(str(error))
        return 2
    name = sys.argv[1].strip() if len(sys.argv) > 1 else ""
    if not name:
        print(listing(directory))  # noqa: T201  # what was asked for
        return 0
    try:
        fetch(name, directory)
    except FetchError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Interrupted. Nothing has changed.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
