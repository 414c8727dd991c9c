"""What every request needs, made once at the start and handed to the routes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from alarmstack.db import Database
from alarmstack.gateway.measures import Measures
from alarmstack.gateway.quota import Quota
from alarmstack.gateway.reader import Reader
from alarmstack.gateway.refusals import Refusals
from alarmstack.gateway.retention import Retention
from alarmstack.gateway.throttle import Throttle
from alarmstack.monitor import Clock, Hub, Monitor, Upstream
from alarmstack.plant import Plant
from alarmstack.settings import Settings
from alarmstack.tasks import Tasks


@dataclass(frozen=True)
class State:
    """The gateway's collaborators."""

    settings: Settings
    secret: str
    plant: Plant
    database: Database
    sensors: Upstream
    inference: Upstream
    hub: Hub
    monitor: Monitor
    throttle: Throttle
    refusals: Refusals
    measures: Measures
    clock: Clock
    tasks: Tasks
    retention: Retention
    reader: Reader
    requests: Quota
    heavy_reads: Quota

    @property
    def plant_time(self) -> datetime | None:
        """What the plant's clock says, as far as is known."""
        return self.monitor.status().plant_time


def _state(request: Request) -> State:
    state: State = request.app.state.gateway
    return state


Gateway = Annotated[State, Depends(_state)]

__all__ = ["Gateway", "State"]
