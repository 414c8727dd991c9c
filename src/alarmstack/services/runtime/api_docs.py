"""The page /docs of a service: its API in Swagger UI, without external addresses or inline scripts.

FastAPI's own page loads Swagger UI from a content delivery network, which a control room cannot
reach. Here the files come from the installed package `fastapi-swagger`, and the page complies with
the gateway's content security policy.
"""

from __future__ import annotations

from html import escape

from fastapi import FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

ASSETS = "/docs/assets"
START = """const page = document.getElementById("swagger-ui");
SwaggerUIBundle({ domNode: page, url: page.dataset.document, deepLinking: true });
"""


def serve_docs(app: FastAPI) -> None:
    """Serve /docs. The app is created with `docs_url=None` and `redoc_url=None`."""
    page = _page(app.title, app.openapi_url or "/openapi.json")
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page)

    @app.get("/docs/start.js", include_in_schema=False)
    async def start() -> Response:
        return Response(START, media_type="text/javascript")


def _page(title: str, document: str) -> str:
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="stylesheet" href="{ASSETS}/swagger-ui.css">
<link rel="icon" href="{ASSETS}/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui" data-document="{escape(document)}"></div>
<script src="{ASSETS}/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""


__all__ = ["serve_docs"]
