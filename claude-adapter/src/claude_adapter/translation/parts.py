"""Parts of a Chat Completions message as content blocks: text, images, documents. Pure."""

import base64
import binascii
import re
from typing import Any

from claude_adapter.errors import BadRequestError

Json = dict[str, Any]

_DATA_URL = re.compile(r"data:(?P<kind>[^;,]*)(?P<options>[^,]*),(?P<data>.*)", re.DOTALL)
_IMAGE_KINDS = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_TEXT_KINDS = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/javascript"}
)
_PDF = "application/pdf"
_PDF_IN_BASE64 = base64.b64encode(b"%PDF-")[:6].decode()
# What Claude itself has no use for in a history: its own thinking comes without the signature that it would ask for.
_THOUGHTS = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content"})


def parts_of(content: object, path: str) -> list[tuple[Json, str]]:
    """Each part of a message's content with its own path. Raises `BadRequestError` for what is no list of objects."""
    if not isinstance(content, list):
        raise BadRequestError(f"{path} must be a string or a list of parts.", path)
    parts: list[tuple[Json, str]] = []
    for index, part in enumerate(content):
        at = f"{path}[{index}]"
        if not isinstance(part, dict):
            raise BadRequestError(f"{at} must be an object.", at)
        parts.append((part, at))
    return parts


def content_blocks(content: object, path: str) -> list[Json]:
    """A user's or a tool's content, a string or a list of parts, as blocks."""
    if isinstance(content, str):
        return text_blocks(content)
    return [block for part, at in parts_of(content, path) for block in _blocks(part, at)]


def assistant_text(content: object, path: str) -> list[Json]:
    """An assistant's content as text blocks; its thoughts are left out."""
    if content is None or isinstance(content, str):
        return text_blocks(content or "")
    parts = [(part, at) for part, at in parts_of(content, path) if part.get("type") not in _THOUGHTS]
    return [block for part, at in parts for block in text_blocks(part_text(part, at))]


def text_blocks(text: str) -> list[Json]:
    """One block, or none for white space: Claude refuses empty ones."""
    return [{"type": "text", "text": text}] if text.strip() else []


def part_text(part: Json, path: str) -> str:
    """The words of a part that may hold nothing but words."""
    kind = part.get("type")
    if kind not in ("text", "refusal"):
        raise BadRequestError(f"{path}.type {str(kind)[:50]!r} is not supported here.", f"{path}.type")
    if not isinstance(text := part.get(kind), str):
        raise BadRequestError(f"{path}.{kind} must be a string.", f"{path}.{kind}")
    return text


def _blocks(part: Json, path: str) -> list[Json]:
    match part.get("type"):
        case "image_url":
            return [_image(part, f"{path}.image_url")]
        case "file":
            return _document(part, f"{path}.file")
    return text_blocks(part_text(part, path))


def _image(part: Json, path: str) -> Json:
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    path = f"{path}.url"
    if not isinstance(url, str):
        raise BadRequestError(f"{path} must be a string.", path)
    if url.startswith("https://"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    if (match := _DATA_URL.fullmatch(url)) is None:
        raise BadRequestError(f"{path} must be an https address, which Claude can reach, or a data: URL.", path)
    return _image_block(match["kind"].lower(), _base64(match, path), path)


def _image_block(kind: str, data: str, path: str) -> Json:
    kind = kind.replace("image/jpg", "image/jpeg")
    if kind not in _IMAGE_KINDS:
        raise BadRequestError(f"{path}: Claude reads JPEG, PNG, GIF and WebP, not {kind[:50]!r}.", path)
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _document(part: Json, path: str) -> list[Json]:
    """A file part as a document block, or as an image block when it holds an image."""
    file = part.get("file")
    if not isinstance(file, dict):
        raise BadRequestError(f"{path} must be an object.", path)
    data = file.get("file_data")
    if data is None and file.get("file_id") is not None:
        raise BadRequestError(
            f"{path}.file_id names a file in OpenAI's store, which Claude cannot read: send it as file_data.",
            f"{path}.file_id",
        )
    path = f"{path}.file_data"
    if not isinstance(data, str) or not data:
        raise BadRequestError(f"{path} must be a data: URL.", path)
    name = file.get("filename")
    title = {"title": name[:500]} if isinstance(name, str) and name.strip() else {}
    if data.startswith("https://"):
        return [{"type": "document", "source": {"type": "url", "url": data}, **title}]
    match = _DATA_URL.fullmatch(data)
    if match is None and data.startswith(_PDF_IN_BASE64):  # some clients leave the data: URL's head out
        match = _DATA_URL.fullmatch(f"data:{_PDF};base64,{data}")
    if match is None:
        raise BadRequestError(f"{path} must be a data: URL, such as data:application/pdf;base64,…", path)
    kind = match["kind"].lower()
    if kind == _PDF:
        source = {"type": "base64", "media_type": _PDF, "data": _base64(match, path)}
        return [{"type": "document", "source": source, **title}]
    if kind in _IMAGE_KINDS:
        return [_image_block(kind, _base64(match, path), path)]
    if not kind.startswith("text/") and kind not in _TEXT_KINDS:
        raise BadRequestError(f"{path}: Claude reads PDF, text and images, not {kind[:50]!r}.", path)
    text = _text_of(_base64(match, path), path)
    if not text.strip():
        return []
    return [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, **title}]


def _base64(match: re.Match[str], path: str) -> str:
    data = "".join(match["data"].split())  # line breaks, as MIME has them, are refused
    if not match["options"].lower().endswith(";base64") or not data:
        raise BadRequestError(f"{path} must hold base64 data.", path)
    return data


def _text_of(data: str, path: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise BadRequestError(f"{path} must hold UTF-8 text in base64.", path) from None
