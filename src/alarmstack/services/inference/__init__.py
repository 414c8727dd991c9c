"""The inference API: the promoted models answer over HTTP. Stateless; what it says rests on the body it was sent."""

from alarmstack.services.inference.app import create_app
from alarmstack.services.inference.shelf import Shelf, Speaker

__all__ = ["Shelf", "Speaker", "create_app"]
