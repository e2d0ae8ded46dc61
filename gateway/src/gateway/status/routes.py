"""The routes a person or a page looks at: `/`, `/status` and what is under it, and the custom element."""

from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse

from gateway.dialects.errors import OpenAIError
from gateway.status.badge import badge
from gateway.status.document import Json, View, public_document
from gateway.status.events import RETRY_MILLISECONDS, TooManyReadersError
from gateway.status.fragment import fragment
from gateway.status.recorder import Recorder

# Nothing from elsewhere, nothing inline, in nobody's frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_FRESH = {**_SAFE, "Cache-Control": "no-store"}
# Asked for again at every visit: a new version of the gateway shows at once.
ASSET_HEADERS = {**_SAFE, "Cache-Control": "no-cache"}
_TYPES = {
    **dict.fromkeys(("page.css", "reference.css"), "text/css"),
    **dict.fromkeys(("page.js", "pilot-light.js"), "text/javascript"),
}

EVENTS_PATH = "/status/events"

router = APIRouter()


def _view(request: Request) -> View:
    # Set by the edge for everyone who came without a key; see PILOT_STATUS_PUBLIC.
    return "public" if request.headers.get("x-pilot-view") == "public" else "full"


def _document(request: Request) -> Json:
    recorder: Recorder = request.app.state.recorder
    full = recorder.document()
    return full if _view(request) == "full" else public_document(full)


def _asset(name: str) -> str:
    return (files("gateway.status") / "page" / name).read_text(encoding="utf-8")


@router.get("/")
async def page(request: Request) -> Response:
    """The status page; it holds no facts itself and asks for them."""
    return HTMLResponse(_asset("index.html"), headers={**_FRESH, "Content-Security-Policy": CONTENT_SECURITY_POLICY})


@router.get("/page/{name}")
async def page_asset(request: Request, name: str) -> Response:
    """The page's style and script."""
    if name not in _TYPES:
        error = OpenAIError(404, f"There is nothing at {request.url.path}.", "not_found")
        return JSONResponse(error.body(), 404)
    return Response(_asset(name), media_type=_TYPES[name], headers=ASSET_HEADERS)


@router.get("/pilot-light.js")
async def custom_element() -> Response:
    """The custom element <pilot-light>."""
    return Response(_asset("pilot-light.js"), media_type=_TYPES["pilot-light.js"], headers=ASSET_HEADERS)


@router.get("/status")
async def status_json(request: Request) -> JSONResponse:
    """Which backend is on, since when and why."""
    return JSONResponse(_document(request), headers=_FRESH)


@router.get(EVENTS_PATH)
async def status_events(request: Request) -> Response:
    """Every change as it happens, as server-sent events."""
    recorder: Recorder = request.app.state.recorder
    caller = request.headers.get("x-pilot-caller", "")
    try:
        stream = recorder.events.listen(_view(request), request.headers.get("last-event-id"), caller)
    except TooManyReadersError:
        error = OpenAIError(
            503,
            "Too many pages are watching. Close some, or ask /status now and then instead.",
            "too_many_watchers",
        )
        return JSONResponse(error.body(), 503, headers={"Retry-After": str(RETRY_MILLISECONDS // 1000 * 5)})
    return StreamingResponse(stream, media_type="text/event-stream", headers={**_FRESH, "X-Accel-Buffering": "no"})


@router.get("/status/fragment")
async def status_fragment(request: Request) -> HTMLResponse:
    """The light as HTML for HTMX and the like."""
    return HTMLResponse(fragment(_document(request)), headers=_FRESH)


@router.get("/status/badge.svg")
async def status_badge(request: Request) -> Response:
    """The light as a badge."""
    document = _document(request)
    return Response(badge(document["active_backend"]), media_type="image/svg+xml", headers=_FRESH)
