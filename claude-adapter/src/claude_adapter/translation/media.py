"""Images and documents as content blocks, of the type that their bytes are, whatever they are declared as. Pure.

What Claude cannot see is said in words: it can then tell the person, where a refusal would end the conversation.
Types: https://docs.claude.com/en/docs/build-with-claude/vision and …/pdf-support.
"""

import base64
import re
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]

_DATA_URL = re.compile(r"data:(?P<kind>[^;,]*)(?P<options>[^,]*),(?P<data>.*)", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+")
_WEB_SAFE = str.maketrans("-_", "+/")
_TEXT_KINDS = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/javascript"}
)
_IMAGE_KINDS = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF = "application/pdf"
_HEAD_CHARACTERS = 1400  # in base64: a PDF's mark is among its first 1024 bytes
_LONGEST_ADDRESS = 200


def image_blocks(url: object) -> list[Json]:
    """An image by its address or data URL, or bare base64."""
    if not isinstance(url, str) or not url:
        return said_of("image", "without its data")
    if url.startswith("https://"):
        return [{"type": "image", "source": {"type": "url", "url": url}}]
    return _of_data(url, "image", {})


def document_blocks(data: object, name: object) -> list[Json]:
    """A file by its address or data URL, or bare base64: a document, or an image when it holds one."""
    title = {"title": name[:500]} if isinstance(name, str) and name.strip() else {}
    if not isinstance(data, str) or not data:
        return said_of(_named(title), "without its data")
    if data.startswith("https://"):
        return [{"type": "document", "source": {"type": "url", "url": data}, **title}]
    return _of_data(data, _named(title), title)


def said_of(what: str, which: str) -> list[Json]:
    """What Claude reads in place of something that it cannot see."""
    return [{"type": "text", "text": f"[{what} {which}: it cannot be seen here]"}]


def _named(title: Json) -> str:
    return f"file {title['title']!r}" if title else "file"


def _of_data(url: str, what: str, title: Json) -> list[Json]:
    match = _DATA_URL.fullmatch(url)
    if match is None and "://" in url[:_LONGEST_ADDRESS]:
        return said_of(what, f"at {url[:_LONGEST_ADDRESS]}, which is no https address")
    declared = match["kind"].lower().strip() if match else ""
    data = _base64_of(match["data"] if match else url)
    is_base64 = match is None or match["options"].lower().endswith(";base64")
    kind = _kind_of(data, declared) if data and is_base64 else None
    if data and kind == _PDF:
        return [{"type": "document", "source": {"type": "base64", "media_type": _PDF, "data": data}, **title}]
    if data and kind is not None:
        return [{"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}]
    if declared.startswith("text/") or declared in _TEXT_KINDS:
        text = _text_of(data) if is_base64 else unquote(match["data"]) if match else None
        if text is not None and not text.strip():
            return []
        if text is not None:
            return [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, **title}]
    return said_of(what, f"of a kind that Claude does not read ({declared[:50] or 'unknown'})")


def _base64_of(data: str) -> str | None:
    """Without the line breaks of MIME, in the alphabet of RFC 4648 and padded; None for what is no base64."""
    data = "".join(data.split()).rstrip("=")
    if "-" in data or "_" in data:
        data = data.translate(_WEB_SAFE)
    if not _BASE64.fullmatch(data) or len(data) % 4 == 1:
        return None
    return data + "=" * (-len(data) % 4)


def _kind_of(data: str, declared: str) -> str | None:
    """The type by the first bytes, else an image's as declared; None for what Claude does not read."""
    head = base64.b64decode(data[:_HEAD_CHARACTERS])
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if b"%PDF-" in head[:1024]:
        return _PDF
    declared = declared.replace("image/jpg", "image/jpeg")
    return declared if declared in _IMAGE_KINDS else None


def _text_of(data: str | None) -> str | None:
    try:
        return base64.b64decode(data).decode() if data is not None else None
    except UnicodeDecodeError:
        return None
