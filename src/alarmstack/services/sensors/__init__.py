"""The sensor API: a plant that is not there, played live on its own clock."""

from alarmstack.services.sensors.app import create_app
from alarmstack.services.sensors.live import LivePlant

__all__ = ["LivePlant", "create_app"]
