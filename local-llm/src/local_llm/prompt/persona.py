"""Who the model is when nobody else says so: the operator's short persona file, or a plain default."""

from __future__ import annotations

from pathlib import Path

# Of six tried on SmolLM2-135M, the one under which it knew most, and least often began to talk French.
PERSONA = "You are a helpful AI assistant."

SIZE_LIMIT_BYTES = 16_384  # read before every new conversation: a soul is a page, not a manual


class SoulError(OSError):
    """`LOCAL_SOUL` cannot be used; the message says what to do."""


def read_soul(path: Path | None) -> str:
    """The text of `LOCAL_SOUL`, or the default when none is named or it is empty. Raises `SoulError`."""
    if path is None:
        return PERSONA
    try:
        data = path.expanduser().read_bytes()
    except OSError as error:
        raise SoulError(
            f"LOCAL_SOUL names {path}, which cannot be read: {error.strerror}. Give the path of a text file, or leave "
            "LOCAL_SOUL unset."
        ) from None
    if len(data) > SIZE_LIMIT_BYTES:
        raise SoulError(
            f"LOCAL_SOUL names {path}, which has {len(data)} bytes; a persona may have {SIZE_LIMIT_BYTES}. "
            "Say in a few paragraphs who the assistant is."
        )
    try:
        return data.decode().strip() or PERSONA
    except UnicodeDecodeError:
        raise SoulError(f"LOCAL_SOUL names {path}, which is not UTF-8 text.") from None
