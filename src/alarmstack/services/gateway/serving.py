"""One process, one app, two ports: one for the API, one for the page."""

from __future__ import annotations

import logging

from alarmstack.core.settings import Settings
from alarmstack.services.gateway.app import create_app
from alarmstack.services.runtime.hosts import Hosts
from alarmstack.services.runtime.server import listen, run

PORT, PAGE_PORT = 7501, 5173


def serve(settings: Settings, port: int = PORT, page_port: int | None = PAGE_PORT) -> None:
    """Serve on the address in the settings until asked to stop.

    Without a `page_port` the page is on the port of the API only. Raises ServiceError for a port in
    use, a missing secret, or a database that cannot be used.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    app = create_app(settings, page_port=page_port)
    ports = [port] if page_port is None else [port, page_port]
    run(Hosts(app, settings.hosts), [listen(settings.host, number) for number in ports])


__all__ = ["PAGE_PORT", "PORT", "serve"]
