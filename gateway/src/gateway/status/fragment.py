"""`GET /status/fragment`: the light as a piece of HTML for another program's page, and nothing that needs a script.

Its class names begin with `pilot-light`; the page that takes it in brings the style.
"""

import time
from html import escape

from gateway.reasons import HEADLINES
from gateway.status.document import Json


def fragment(document: Json) -> str:
    """HTML of a full or a public status document, everything escaped."""
    active = document["active_backend"]
    lines = [
        f'<div class="pilot-light pilot-light--{escape(active)}" role="status">',
        '  <span class="pilot-light__flame" aria-hidden="true"></span>',
        f'  <strong class="pilot-light__headline">{escape(HEADLINES[active])}</strong>',
    ]
    if model := document.get("model"):
        lines.append(f'  <span class="pilot-light__model">{escape(str(model))}</span>')
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(document["since"]))
    readable = f"{since[:10]} {since[11:16]} UTC"
    lines.append(f'  <time class="pilot-light__since" datetime="{since}">since {readable}</time>')
    if active != "claude" and (words := document.get("words")):
        lines.append(f'  <p class="pilot-light__why">{escape(words["what"])} {escape(words["do"])}</p>')
    lines.append("</div>")
    return "\n".join(lines) + "\n"
