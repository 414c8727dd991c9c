"""The host names that a service answers to.

A page of another site can reach a service on loopback under that site's own name (DNS rebinding),
and a forged name can enter links and caches. A service therefore answers only requests that are
addressed to one of its own names.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from alarmstack.services.runtime.problems import TITLES, problem

LONGEST_SHOWN = 100
"""Characters of a refused name that the answer repeats."""


class Hosts:
    """An application behind a check of the Host header: 400 for a name that is not the service's.

    `names` are in lower case and without a port. `*.example.org` allows every name below it, `*`
    allows every name.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self.app = app
        self._names = frozenset(names)
        self._endings = tuple(name[1:] for name in self._names if name.startswith("*"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's answer, or the refusal."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and self.allows(hosts[0]):
            return await self.app(scope, receive, send)
        shown = ", ".join(hosts)[:LONGEST_SHOWN]
        refusal = (
            f"Host {shown!r} is not a name of this service: "
            "if it should be, add it to ALARMSTACK_ALLOWED_HOSTS"
        )
        await problem(400, TITLES[400], refusal)(scope, receive, send)

    def allows(self, host: str) -> bool:
        """Whether a Host header, with or without a port, names this service."""
        name = host_name(host)
        return name is not None and (
            name in self._names or any(name.endswith(ending) for ending in self._endings)
        )


def host_name(host: str) -> str | None:
    """The name in a Host header; None for a header that no browser sends.

    >>> host_name("Plant.example:8088"), host_name("[::1]:7501"), host_name("plant.example.")
    ('plant.example', '::1', 'plant.example')
    >>> host_name("a:b:c"), host_name("")
    (None, None)
    """
    name, port = host, ""
    if host.startswith("["):
        name, closed, rest = host[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    elif ":" in host:
        name, _, port = host.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return None
    return name.lower().removesuffix(".") or None


__all__ = ["Hosts", "host_name"]
