"""The built page, and the headers that every answer carries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""No inline script or style, nothing from elsewhere, no framing."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
SMALLEST_COMPRESSED = 1000
"""Bytes below which compressing saves no packet."""
COMPRESSION = 5
"""Of 9: beyond, time grows and size hardly shrinks."""
NEVER_COMPRESSED = ("/auth/", "/stream")
FOREVER = "public, max-age=31536000, immutable"
"""Built assets carry a hash of their content in their names."""


class Page:
    """Serves a folder to whatever the API left over; says what to do where the page was not built.

    `endpoints` are the API's: one of them asked with a method it does not have is refused as such.
    """

    def __init__(self, folder: Path, endpoints: Sequence[Route]) -> None:
        self._folder, self._endpoints = folder, endpoints
        self._files = StaticFiles(directory=folder, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A file, or why there is none."""
        methods = self._methods(scope["path"].removeprefix("/api"))
        if scope["method"] not in methods:
            raise HTTPException(
                405,
                f"{scope['path'][:200]} takes {', '.join(methods)}",
                {"Allow": ", ".join(methods)},
            )
        if scope["path"].startswith("/api/"):
            raise HTTPException(404, f"the API has no {scope['path'][:200]}")
        if not (self._folder / "index.html").is_file():
            return await _unbuilt(self._folder)(scope, receive, send)
        await self._files(scope, receive, send)

    def _methods(self, path: str) -> list[str]:
        """What may be done with a path: what the API's endpoints there take; a file is read."""
        taken = {
            method
            for one in self._endpoints
            if one.path_regex.match(path)
            for method in one.methods or ()
        }
        return sorted(taken) or ["GET", "HEAD"]


class Compressed:
    """Compresses pages, scripts and answers for those who accept that.

    Never a stream of events, which would wait in the compressor, and never an answer of a login:
    its length would tell of the secret in it (BREACH).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._compressing = GZipMiddleware(
            app, minimum_size=SMALLEST_COMPRESSED, compresslevel=COMPRESSION
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app's answer, compressed where that is safe and worth it."""
        plain = scope["type"] != "http" or scope["path"].removeprefix("/api").startswith(
            NEVER_COMPRESSED
        )
        await (self.app if plain else self._compressing)(scope, receive, send)


class Guarded:
    """Adds the security headers. Answers of the API are never kept by a cache."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app's answer with more headers."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if "etag" not in headers:
                    headers["Cache-Control"] = "no-store"
                elif "cache-control" not in headers:
                    headers["Cache-Control"] = (
                        FOREVER if scope["path"].startswith("/assets/") else "no-cache"
                    )
            await send(message)

        await self.app(scope, receive, guarded)


def _unbuilt(folder: Path) -> Response:
    told = f"The page is not built: {folder}/index.html is missing.\nBuild it with `make run` or `npm --prefix ui run build`.\n"
    return PlainTextResponse(
        f"{told}The API answers under /api; its description is /openapi.json.\n", 503
    )


__all__ = ["HEADERS", "Compressed", "Guarded", "Page"]
