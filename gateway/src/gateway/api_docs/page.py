"""`GET /docs`: the published description as one page. Pure: from the document to HTML, without a script.

Ours, because FastAPI's page fetches its program from elsewhere: it shows nothing on a machine without internet, and
would run a stranger's script where the status page is signed in.
"""

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

Json = dict[str, Any]

_CODE = re.compile("`([^`]+)`")


def reference_page(document: Json) -> str:
    """HTML, everything escaped."""
    info = document["info"]
    operations = [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "servers"
    ]
    contents = "\n".join(
        f'<li><a href="#{_anchor(method, path)}">{_name(method, path)}</a></li>' for method, path, _ in operations
    )
    described = "\n".join(
        _operation(method, path, operation, document["paths"][path].get("servers", []))
        for method, path, operation in operations
    )
    shapes = "\n".join(_shape(name, schema) for name, schema in document["components"]["schemas"].items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(info["title"])}: the API</title>
<link rel="icon" href="/status/badge.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page/page.css">
<link rel="stylesheet" href="/page/reference.css">
</head>
<body>
<main>
<p class="name"><a href="/">{escape(info["title"])}</a></p>
<h1>The API</h1>
<p>{escape(info["description"])} For programs: <a href="/openapi.json">the same as an OpenAPI document</a>.
With <code>PILOT_KEYS</code> set, send a key as <code>Authorization: Bearer</code> or <code>x-api-key</code>.</p>
<nav aria-label="Operations"><ul>
{contents}
</ul></nav>
{described}
<h2 id="shapes">Shapes</h2>
{shapes}
</main>
</body>
</html>
"""


def _words(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""))


def _name(method: str, path: str) -> str:
    return f"<code>{method.upper()} {escape(path)}</code>"


def _operation(method: str, path: str, operation: Json, servers: list[Json]) -> str:
    lines = [
        f'<section aria-labelledby="{_anchor(method, path)}">',
        f'<h2 id="{_anchor(method, path)}">{_name(method, path)}</h2>',
        f"<p>{escape(operation['summary'])}.</p>",
    ]
    also = [f"<code>{escape(server['url'] + path)}</code>" for server in servers if server["url"] != "/"]
    if also:
        lines.append(f"<p>Also at {', '.join(also)}.</p>")
    if body := operation.get("requestBody"):
        lines.append(f"<p>Takes {_content(body['content'])}, for example:</p>")
        lines += [_example(example["value"]) for example in body["content"]["application/json"]["examples"].values()]
    if parameters := operation["parameters"]:
        rows = [
            (f"<code>{escape(given['name'])}</code>", f"{escape(given['in'])}", _words(given.get("description", "")))
            for given in parameters
        ]
        lines.append(_table(("parameter", "where", "what it does"), rows))
    answers = [
        (
            f"<code>{escape(status)}</code>",
            _words(answer["description"]) + _headers(answer.get("headers", {})),
            _content(answer["content"]),
        )
        for status, answer in sorted(operation["responses"].items())
    ]
    lines += [_table(("status", "what it says", "in"), answers), "</section>"]
    return "\n".join(lines)


def _headers(headers: Json) -> str:
    if not headers:
        return ""
    return f" With {', '.join(f'<code>{escape(name)}</code>' for name in headers)}."


def _content(content: Json) -> str:
    return ", ".join(f"{escape(kind)}{_shape_of(media.get('schema', {}))}" for kind, media in content.items())


def _shape_of(schema: Json) -> str:
    """The names of the shapes that are meant, each a link."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f' <a href="#shape-{name}">{name}</a>'
    return " or".join(found for found in map(_shape_of, schema.get("anyOf", [])) if found)


def _example(value: Json) -> str:
    return f'<pre tabindex="0">{escape(json.dumps(value, ensure_ascii=False))}</pre>'


def _shape(name: str, schema: Json) -> str:
    shown = escape(json.dumps(schema, indent=2, ensure_ascii=False))
    return (
        f'<details id="shape-{escape(name)}"><summary>{escape(name)}</summary>\n'
        f'<pre tabindex="0">{shown}</pre></details>'
    )


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
