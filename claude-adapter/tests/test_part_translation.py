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


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "file"}, "content[0].file"),
        (file(None, file_id="file-1"), "content[0].file.file_id"),
        (file(None), "content[0].file.file_data"),
        (file(""), "content[0].file.file_data"),
        (file("hello"), "content[0].file.file_data"),
        (file("data:application/pdf,x"), "content[0].file.file_data"),
        (file("data:application/zip;base64,AAAA"), "content[0].file.file_data"),
        (file("data:text/plain;base64,/w=="), "content[0].file.file_data"),
        (file("data:text/plain;base64,?"), "content[0].file.file_data"),
    ],
)
def test_what_claude_cannot_read(part: dict[str, Any], param: str) -> None:
    """It is refused with the path of the field."""
    with pytest.raises(BadRequestError) as caught:
        content_blocks([part], "content")
    assert caught.value.param == param
