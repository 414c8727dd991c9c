"""The built page, and the headers of every response."""

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
"""No inline scripts or styles, nothing from other origins, no frames."""
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
"""Bytes. Smaller responses fit into one packet anyway."""
COMPRESSION = 5
"""The level, up to 9: higher levels take more time and save little."""
NEVER_COMPRESSED = ("/auth/", "/stream")
LONGEST_PATH = 200
"""Characters of a path that an error repeats."""
FOREVER = "public, max-age=31536000, immutable"
"""Built assets have a hash of their content in their names."""


class Page:
    """Serves a folder at every path that is not an endpoint of the API.

    `endpoints` are those of the API: a request with a method that they do not accept is refused.
    Where the page is not built, the response states how to build it.
    """

    def __init__(self, folder: Path, endpoints: Sequence[Route]) -> None:
        self._folder, self._endpoints = folder, endpoints
        self._files = StaticFiles(directory=folder, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A file, or the reason why there is none."""
        path = scope["path"][:LONGEST_PATH]
        methods = self._methods(scope["path"].removeprefix("/api"))
        if scope["method"] not in methods:
            raise HTTPException(
                405,
                f"{path} accepts {', '.join(methods)}",
                {"Allow": ", ".join(methods)},
            )
        if scope["path"].startswith("/api/"):
            raise HTTPException(404, f"the API has no {path}")
        if not (self._folder / "index.html").is_file():
            return await _not_built(self._folder)(scope, receive, send)
        await self._files(scope, receive, send)

    def _methods(self, path: str) -> list[str]:
        """The methods of the API's endpoints at a path; of a file, the methods that read it."""
        methods: set[str] = set()
        for endpoint in self._endpoints:
            if endpoint.path_regex.match(path):
                methods |= endpoint.methods or set()
        return sorted(methods) or ["GET", "HEAD"]


class Compressed:
    """Compresses responses for clients that accept that.

    A stream of events is not compressed: events would wait in the compressor. The response to a
    login is not compressed either: its length would reveal parts of the secret in it (BREACH).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._compressing = GZipMiddleware(
            app, minimum_size=SMALLEST_COMPRESSED, compresslevel=COMPRESSION
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The response of the app, compressed where that is safe and useful."""
        plain = scope["type"] != "http" or scope["path"].removeprefix("/api").startswith(
            NEVER_COMPRESSED
        )
        await (self.app if plain else self._compressing)(scope, receive, send)


class Guarded:
    """Adds the security headers. Responses of the API are never cached."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The response of the app with more headers."""
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


def _not_built(folder: Path) -> Response:
    lines = (
        f"The page is not built: {folder}/index.html is missing.",
        "Build it with `make run` or `npm --prefix ui run build`.",
        "The API is below /api. Its description is /openapi.json.",
    )
    return PlainTextResponse("\n".join((*lines, "")), 503)


__all__ = ["HEADERS", "Compressed", "Guarded", "Page"]
