"""Everything that requests need, created once at the start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.core.tasks import Tasks
from alarmstack.services.gateway.measures import Measures
from alarmstack.services.gateway.quota import Quota
from alarmstack.services.gateway.reader import Reader
from alarmstack.services.gateway.refusals import Refusals
from alarmstack.services.gateway.retention import Retention
from alarmstack.services.gateway.shared_reads import SharedReads
from alarmstack.services.gateway.throttle import Throttle
from alarmstack.services.monitor import Clock, Monitor, Upstream
from alarmstack.services.runtime.broadcast import Hub
from alarmstack.storage.database import Database


@dataclass(frozen=True)
class State:
    """The parts of the gateway."""

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
    overviews: SharedReads
    requests: Quota
    heavy_reads: Quota

    @property
    def plant_time(self) -> datetime | None:
        """The plant time of the last reading; None before the first one."""
        return self.monitor.status().plant_time


def _state(request: Request) -> State:
    state: State = request.app.state.gateway
    return state


Gateway = Annotated[State, Depends(_state)]

__all__ = ["Gateway", "State"]
