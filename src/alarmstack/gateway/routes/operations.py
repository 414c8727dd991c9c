"""For those who run the service: is it alive, and its figures."""

from __future__ import annotations

from fastapi import APIRouter

from alarmstack import __version__
from alarmstack.gateway.state import Gateway
from alarmstack.wire.screen import GatewayHealth

router = APIRouter(tags=["operations"])


@router.get("/health", summary="Alive, and how the sources are")
async def health(state: Gateway) -> GatewayHealth:
    """Public. The gateway answers with 200 while it runs; what it depends on is in `feed`."""
    return GatewayHealth(version=__version__, feed=state.monitor.status())


__all__ = ["router"]
