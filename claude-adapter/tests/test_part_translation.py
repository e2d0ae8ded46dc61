"""Images and documents among a message's parts."""

import base64
from typing import Any

import pytest

from claude_adapter.errors import BadRequestError
from claude_adapter.translation.parts import content_blocks

PDF = base64.b64encode(b"%PDF-1.4 a small one").decode()
WORDS = base64.b64encode("Grüße".encode()).decode()


def file(data: object, **more: object) -> dict[str, Any]:
    return {"type": "file", "file": {"file_data": data, **more}}


def document(title: str | None = None, **source: str) -> dict[str, Any]:
    return {"type": "document", "source": source, **({"title": title} if title else {})}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            file(f"data:application/pdf;base64,{PDF}", filename="a.pdf"),
            [document("a.pdf", type="base64", media_type="application/pdf", data=PDF)],
        ),
        (file(PDF), [document(type="base64", media_type="application/pdf", data=PDF)]),  # without the URL's head
        (
            file(f"data:text/markdown;charset=utf-8;base64,{WORDS}"),
            [document(type="text", media_type="text/plain", data="Grüße")],
        ),
        (file("data:application/json;base64,e30="), [document(type="text", media_type="text/plain", data="{}")]),
        (file("data:text/plain;base64,IA=="), []),  # Claude refuses a document of white space
        (file("https://x.example/a.pdf"), [document(type="url", url="https://x.example/a.pdf")]),
        (
            file("data:image/png;base64,AAAA"),
            [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}],
        ),
        (
            {"type": "image_url", "image_url": "data:image/png;base64,AA\nAA"},
            [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}],
        ),
    ],
)
def test_blocks(part: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    """A file is a document, or an image when it holds one."""
    assert content_blocks([part], "content") == expected


PIXELS = {
    "image/png": base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode(),
    "image/jpeg": base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(20)).decode(),
    "image/gif": base64.b64encode(b"GIF89a" + bytes(20)).decode(),
    "image/webp": base64.b64encode(b"RIFF\x08\0\0\0WEBPVP8 " + bytes(20)).decode(),
}


@pytest.mark.parametrize(
    "declared", ["image/png", "image/webp", "image/bmp", "application/octet-stream", "text/plain", ""]
)
@pytest.mark.parametrize("true", PIXELS)
def test_a_type_is_what_the_bytes_are(true: str, declared: str) -> None:
    """Whatever is declared; in an image's part, in a file's, and in bare base64 without its padding."""
    url = f"data:{declared};base64,{PIXELS[true]}"
    block = {"type": "image", "source": {"type": "base64", "media_type": true, "data": PIXELS[true]}}
    for part in (
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "input_image", "image_url": url},
        {"type": "image_url", "image_url": {"url": PIXELS[true].rstrip("=")}},
        file(url),
    ):
        assert content_blocks([part], "content") == [block]


def test_a_document_is_what_its_bytes_are() -> None:
    """A PDF under another name, and one that holds none."""
    [block] = content_blocks([file(f"data:application/octet-stream;base64,{PDF}")], "content")
    assert block["source"]["media_type"] == "application/pdf"
    [block] = content_blocks([file(f"data:application/pdf;base64,{WORDS}")], "content")
    assert "cannot be seen" in block["text"]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "file"}, "file"),
        (file(None), "file"),
        (file("", filename="a.pdf"), "file 'a.pdf'"),
        (file("hello"), "file"),
        (file("data:application/zip;base64,AAAA"), "application/zip"),
        (file("data:text/plain;base64,/w=="), "text/plain"),
        (file("data:text/plain;base64,?"), "text/plain"),
        (file("http://x.example/a.pdf"), "http://x.example/a.pdf"),
        ({"type": "image_url"}, "image"),
        ({"type": "image_url", "image_url": {"url": "http://x.example/a.png"}}, "http://x.example/a.png"),
        ({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AAAA"}}, "image/tiff"),
        ({"type": "image_url", "image_url": {"url": "data:image/png,AAAA"}}, "image/png"),
        ({"type": "input_audio", "input_audio": {}}, "audio"),
        ({"type": "video_url", "video_url": {}}, "video"),
    ],
)
def test_what_claude_cannot_see_is_said(part: dict[str, Any], words: str) -> None:
    """In words, so that the conversation goes on and Claude can tell the person."""
    [block] = content_blocks([part], "content")
    assert block["type"] == "text"
    assert words in block["text"]
    assert "cannot be seen" in block["text"]


@pytest.mark.parametrize(
    ("part", "param"),
    [("x", "content[0]"), ({"type": "text"}, "content[0].text"), ({"type": "refusal"}, "content[0].refusal")],
)
def test_what_is_no_part(part: Any, param: str) -> None:
    """It is refused with the path of the field, here too."""
    with pytest.raises(BadRequestError) as caught:
        content_blocks([part], "content")
    assert caught.value.param == param
