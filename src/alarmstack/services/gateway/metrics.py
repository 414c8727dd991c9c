"""`GET /metrics`: metrics for Prometheus, not for browsers."""

from __future__ import annotations

from hmac import compare_digest
from ipaddress import ip_address

from fastapi import APIRouter, HTTPException, Request, Response

from alarmstack.core.settings import Settings
from alarmstack.services.runtime.metrics import Meter


def metrics_router(meter: Meter, settings: Settings, page_port: int | None) -> APIRouter:
    """A router with that one endpoint.

    Processes on this computer may read it, others with ALARMSTACK_METRICS_TOKEN as their bearer
    token. A request on the page's port, through a proxy or from a page gets 404.
    """
    router = APIRouter()

    @router.get("/metrics", include_in_schema=False)
    async def _metrics(request: Request) -> Response:
        if _for_page(request, page_port) or not (
            _with_token(request, settings) or _from_here(request)
        ):
            raise HTTPException(404, "Not Found")
        return await meter.exposition()

    return router


def _for_page(request: Request, page_port: int | None) -> bool:
    server = request.scope.get("server")
    return (
        server is not None and page_port is not None and server[1] == page_port
    ) or "sec-fetch-mode" in request.headers


def _with_token(request: Request, settings: Settings) -> bool:
    token = settings.metrics_token
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    return token is not None and compare_digest(sent.encode(), token.get_secret_value().encode())


def _from_here(request: Request) -> bool:
    """Whether a process on this computer sent the request for itself, not as a proxy."""
    if request.client is None or "x-forwarded-for" in request.headers:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


__all__ = ["metrics_router"]
