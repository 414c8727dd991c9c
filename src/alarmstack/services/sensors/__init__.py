"""The sensor API: a simulated plant, live on its own clock. May import `runtime` and `schemas`."""

from alarmstack.services.sensors.app import create_app
from alarmstack.services.sensors.live import LivePlant

__all__ = ["LivePlant", "create_app"]
