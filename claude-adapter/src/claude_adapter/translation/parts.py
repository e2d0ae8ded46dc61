"""Parts of a Chat Completions message as content blocks: text, images, documents, the rest in words. Pure."""

from collections.abc import Iterator
from typing import Any

from claude_adapter.errors import BadRequestError
from claude_adapter.translation.cache_marks import mark_last
from claude_adapter.translation.media import document_blocks, image_blocks, said_of

Json = dict[str, Any]

# What Claude itself has no use for in a history: its own thinking comes without the signature that it would ask for.
_THOUGHTS = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content"})


def content_blocks(content: object, path: str) -> list[Json]:
    """A user's or a tool's content, a string or a list of parts, as blocks. Raises `BadRequestError`."""
    if content is None or isinstance(content, str):
        return text_blocks(content or "")
    return [block for part, at in _parts_of(content, path) for block in _marked(_blocks(part, at), part)]


def word_blocks(content: object, path: str) -> list[Json]:
    """A content that can hold nothing but words, an assistant's or the system's, as text blocks; without thoughts."""
    if content is None or isinstance(content, str):
        return text_blocks(content or "")
    blocks: list[Json] = []
    for part, at in _parts_of(content, path):
        if part.get("type") not in _THOUGHTS:
            blocks += _marked(_words(part, at) or _unseen(part), part)
    return blocks


def text_blocks(text: str) -> list[Json]:
    """One block, or none for white space: Claude refuses empty ones."""
    return [{"type": "text", "text": text}] if text.strip() else []


def _parts_of(content: object, path: str) -> Iterator[tuple[Json, str]]:
    """Each part of a message's content with its own path."""
    if not isinstance(content, list):
        raise BadRequestError(f"{path} must be a string or a list of parts.", path)
    for index, part in enumerate(content):
        at = f"{path}[{index}]"
        if not isinstance(part, dict):
            raise BadRequestError(f"{at} must be an object.", at)
        yield part, at


def _marked(blocks: list[Json], part: Json) -> list[Json]:
    mark_last(blocks, part.get("cache_control"))
    return blocks


def _words(part: Json, path: str) -> list[Json] | None:
    """The blocks of a part that holds words; None for another."""
    kind = part.get("type")
    field = "refusal" if kind == "refusal" else "text"
    text = part.get(field)
    if isinstance(text, str):
        return text_blocks(text)
    if kind in ("text", "input_text", "output_text", "refusal"):
        raise BadRequestError(f"{path}.{field} must be a string.", f"{path}.{field}")
    return None


def _blocks(part: Json, path: str) -> list[Json]:
    match part.get("type"):
        case "image_url" | "input_image":  # the latter is Responses'
            image = part.get("image_url")
            return image_blocks(image.get("url") if isinstance(image, dict) else image)
        case "file" | "input_file":
            file = part.get("file", part)
            return _file(file if isinstance(file, dict) else {})
        case kind if kind in _THOUGHTS:
            return []
    words = _words(part, path)
    return words if words is not None else _unseen(part)


def _file(file: Json) -> list[Json]:
    return document_blocks(file.get("file_data") or file.get("file_url"), file.get("filename"))


def _unseen(part: Json) -> list[Json]:
    kind = str(part.get("type"))[:50].removeprefix("input_").removesuffix("_url").replace("_", " ")
    return said_of(kind, "in a form that Claude does not read")
