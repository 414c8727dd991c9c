"""The inference API: requests to the promoted models over HTTP.

It has no state beside the loaded models: a result depends on the body of the request alone.
"""

from alarmstack.services.inference.app import create_app
from alarmstack.services.inference.shelf import LoadedModel, Shelf

__all__ = ["LoadedModel", "Shelf", "create_app"]
