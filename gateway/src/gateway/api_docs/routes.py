"""`/docs`: the API, described for a person."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from gateway.api_docs.page import reference_page
from gateway.status.routes import ASSET_HEADERS, CONTENT_SECURITY_POLICY

router = APIRouter()


@router.get("/docs")
async def reference(request: Request) -> Response:
    """The page; it is written from the same document as `/openapi.json`."""
    headers = {**ASSET_HEADERS, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
    return HTMLResponse(reference_page(request.app.openapi()), headers=headers)
