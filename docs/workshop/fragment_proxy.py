"""A FastAPI dashboard with HTMX: its own server asks Pilot Light and hands the fragment on.

The browser talks to the dashboard alone, so the key for Pilot Light stays on the server.
"""

import os

import httpx
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, HTMLResponse

PILOT_LIGHT = os.environ.get("PILOT_LIGHT", "http://127.0.0.1:8080")
PILOT_KEY = os.environ.get("PILOT_KEY", "")
HTMX_FILE = os.environ.get("HTMX_FILE", "static/htmx.min.js")  # the dashboard's own copy

PAGE = """<!doctype html>
<html lang="en"><head><title>Workshop</title>
<meta name="htmx-config" content='{"includeIndicatorStyles": false, "allowEval": false}'>
<script src="/htmx.min.js" defer></script></head>
<body><h1>Workshop</h1>
<div hx-get="/pilot-light" hx-trigger="load, every 2s">…</div>
</body></html>"""
POLICY = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; frame-src 'none'"}

app = FastAPI()


@app.get("/")
async def page() -> HTMLResponse:
    """The dashboard."""
    return HTMLResponse(PAGE, headers=POLICY)


@app.get("/htmx.min.js")
async def htmx() -> FileResponse:
    """HTMX, from here and nowhere else."""
    return FileResponse(HTMX_FILE, media_type="text/javascript")


@app.get("/pilot-light")
async def pilot_light() -> Response:
    """The fragment, or a word that there is none."""
    try:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            answer = await client.get(
                f"{PILOT_LIGHT}/status/fragment", headers={"x-api-key": PILOT_KEY} if PILOT_KEY else {}
            )
            answer.raise_for_status()
    except httpx.HTTPError:
        return HTMLResponse('<p class="pilot-light pilot-light--lost" role="status">Pilot Light does not answer.</p>')
    return HTMLResponse(answer.text)
