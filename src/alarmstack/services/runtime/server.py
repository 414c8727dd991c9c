"""How a service runs: the sockets that it listens on, and its process until the end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from alarmstack.core.errors import ServiceError

SUPERVISED = "ALARMSTACK_SUPERVISED"
"""Set in the environment of a service whose standard input is a pipe from its supervisor."""
SHUTDOWN_SECONDS = 3
"""How long requests may take after the process is asked to stop; open streams end then."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ServiceError that names the port where it is in use."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ServiceError(
            f"port {port} on {host} cannot be used ({error.strerror}): "
            "stop the process that listens there, or choose another --port"
        ) from error
    except (TypeError, ValueError) as error:
        # Not a host name: bytes that are not UTF-8, or a part of more than 63 characters.
        listening.close()
        raise ServiceError(
            f"{host!r} is not the name of a computer: give an address such as 127.0.0.1"
        ) from error
    return listening


def run(app: ASGIApp, sockets: Sequence[socket.socket]) -> None:
    """Serve until the process is asked to stop, or its supervisor has ended.

    Requests in progress are answered first.
    """
    if os.environ.get(SUPERVISED):
        threading.Thread(target=_end_with_supervisor, daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Only the application knows its proxies, so it alone reads the headers that a proxy adds.
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        proxy_headers=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=list(sockets))


def _end_with_supervisor() -> None:
    """Wait for the end of standard input, a pipe that only the supervisor holds, then stop."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


__all__ = ["SUPERVISED", "listen", "run"]
