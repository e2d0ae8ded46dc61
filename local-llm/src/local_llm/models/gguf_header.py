"""A GGUF file's header, read without llama.cpp: what is damaged must not crash the process that serves.

The format is described in ggml's docs/gguf.md: little-endian; magic, version, counts, key-value pairs, descriptions of
the tensors, then their data, aligned.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_MOST_BYTES_OF_A_STRING = 1 << 24
_MOST_ENTRIES = 1 << 16


class DamagedError(Exception):
    """The file is no whole GGUF; the message says what is wrong, without naming the file."""


@dataclass(frozen=True)
class Header:
    """What decides how much memory a model needs. Lengths in tokens and elements."""

    architecture: str
    trained_context_tokens: int | None
    layers: int
    kv_width: int  # elements of one token's keys and values in one layer
    vocabulary: int
    embedding: int
    feed_forward: int


def read(path: Path) -> Header:
    """Read and check a header. Raises `DamagedError`, and OSError when the file cannot be read."""
    with path.open("rb") as file:
        try:
            return _Reader(file, path.stat().st_size).header()
        except (struct.error, UnicodeDecodeError, TypeError, ValueError, ZeroDivisionError):
            raise DamagedError("its header is damaged") from None


class _Reader:
    def __init__(self, file: BufferedReader, size_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes

    def header(self) -> Header:
        if self._file.read(4) != b"GGUF":
            raise DamagedError("it is not a GGUF file (it may be half a download)")
        version = self._scalar("<I")
        if version not in (2, 3):
            raise DamagedError(f"its GGUF version {version} is unknown")
        tensors, pairs = self._count(), self._count()
        found: dict[str, Any] = {}
        for _ in range(pairs):
            key = self._string()
            found[key] = self._value(self._scalar("<I"))
        self._check_tensors(tensors, int(found.get("general.alignment", 32)))
        return _header(found)

    def _check_tensors(self, tensors: int, alignment: int) -> None:
        last = 0
        for _ in range(tensors):
            self._string()
            for _ in range(self._scalar("<I")):
                self._scalar("<Q")
            self._scalar("<I")
            last = max(last, self._scalar("<Q"))
        begin = -(-self._file.tell() // alignment) * alignment
        if tensors and begin + last >= self._size_bytes:
            raise DamagedError("it ends too early (it may be half a download)")

    def _scalar(self, layout: str) -> Any:
        return struct.unpack(layout, self._file.read(struct.calcsize(layout)))[0]

    def _count(self) -> int:
        count: int = self._scalar("<Q")
        if count > _MOST_ENTRIES:
            raise DamagedError("its header is damaged")
        return count

    def _string(self) -> str:
        return self._file.read(self._length(_MOST_BYTES_OF_A_STRING)).decode()

    def _length(self, most: int) -> int:
        length: int = self._scalar("<Q")
        if length > most:
            raise DamagedError("its header is damaged")
        return length

    def _value(self, kind: int) -> Any:
        """A scalar or string; of an array only its length, a vocabulary's for instance."""
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            raise DamagedError("its header is damaged")
        of, length = self._scalar("<I"), self._length(self._size_bytes)
        if of in _SCALARS:
            self._file.seek(length * struct.calcsize(_SCALARS[of]), 1)
        elif of == _STRING:
            for _ in range(length):
                self._file.seek(self._length(_MOST_BYTES_OF_A_STRING), 1)
        else:
            raise DamagedError("its header is damaged")
        return length


def _header(found: dict[str, Any]) -> Header:
    architecture = str(found.get("general.architecture", ""))

    def number(name: str, default: int = 0) -> int:
        return int(found.get(f"{architecture}.{name}", default))

    embedding, heads = number("embedding_length"), number("attention.head_count")
    if not embedding or not heads or not number("block_count"):
        raise DamagedError("its header names no language model")
    head = embedding // heads
    keys, values = number("attention.key_length", head), number("attention.value_length", head)
    return Header(
        architecture=architecture,
        trained_context_tokens=number("context_length") or None,
        layers=number("block_count"),
        kv_width=number("attention.head_count_kv", heads) * (keys + values),
        vocabulary=int(found.get("tokenizer.ggml.tokens", 0)),
        embedding=embedding,
        feed_forward=number("feed_forward_length"),
    )
