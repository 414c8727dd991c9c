"""The endpoints of the API, one module for each task of a user."""

from alarmstack.services.gateway.routes import (
    auth,
    events,
    feed,
    history,
    infer,
    living,
    operations,
    plant,
    stream,
    trends,
)

ROUTERS = (
    auth.router,
    infer.router,
    history.router,
    trends.router,
    events.router,
    plant.router,
    feed.router,
    living.router,
    stream.router,
    operations.router,
)
"""In the order of the OpenAPI document."""
__all__ = ["ROUTERS"]
