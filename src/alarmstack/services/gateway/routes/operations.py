"""Health and readiness, for the operators of the service."""

from __future__ import annotations

from fastapi import APIRouter, Response

from alarmstack import __version__
from alarmstack.services.gateway.state import Gateway
from alarmstack.services.runtime.readiness import READY_RESPONSES, readiness
from alarmstack.services.schemas.gateway import GatewayHealth
from alarmstack.services.schemas.inference import Readiness

router = APIRouter(tags=["operations"])


@router.get("/health", summary="The gateway runs; state of its sources")
async def health(state: Gateway) -> GatewayHealth:
    """Public. 200 while the gateway runs. The state of its sources is in `feed`."""
    return GatewayHealth(version=__version__, feed=state.monitor.status())


@router.get(
    "/ready", summary="Whether every long-running task makes progress", responses=READY_RESPONSES
)
async def ready(state: Gateway, response: Response) -> Readiness:
    """Public. 503 with the task and the reason while a task is down or makes no progress."""
    return readiness(state.tasks, response)


__all__ = ["router"]
