"""The client behind a proxy.

A proxy names the address of its client in `X-Forwarded-For` and the client's scheme in
`X-Forwarded-Proto`. Anybody can send these headers. They count only where the connection comes from
a proxy in the settings (ALARMSTACK_TRUSTED_PROXIES).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from time import monotonic

from starlette.types import ASGIApp, Receive, Scope, Send

Address = IPv4Address | IPv6Address
NAMES_LAST = 5.0
"""Seconds until a name is resolved again: a container may restart with another address."""
LONGEST_LOOK_UP = 2.0
"""Seconds that a request waits for the addresses of a proxy."""
log = logging.getLogger(__name__)


class Proxied:
    """An application that sees the client behind a trusted proxy.

    From any other peer the headers are ignored.
    """

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self.app = app
        self._proxies = Proxies(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The response of the application to the client."""
        if scope["type"] == "http":
            scope = await self._as_sent(scope)
        await self.app(scope, receive, send)

    async def _as_sent(self, scope: Scope) -> Scope:
        """The request as the client sent it."""
        forwarded = {
            name: value.decode("latin-1")
            for name, value in scope["headers"]
            if name.startswith(b"x-forwarded-")
        }
        peer = scope["client"]
        if not forwarded or peer is None or not await self._proxies.know(peer[0]):
            return scope
        sent = dict(scope)
        client = await self._client(forwarded.get(b"x-forwarded-for", ""))
        if client is not None:
            sent["client"] = (client, 0)
        if forwarded.get(b"x-forwarded-proto") in ("http", "https"):
            sent["scheme"] = forwarded[b"x-forwarded-proto"]
        return sent

    async def _client(self, forwarded: str) -> str | None:
        """The last address that is not of a trusted proxy: addresses before it may be forged."""
        for entry in reversed(forwarded.split(",")):
            address = _address(entry.strip())
            if address is None:
                return None
            if not await self._proxies.know(str(address)):
                return str(address)
        return None


class Proxies:
    """Addresses, networks and names of proxies. The event loop resolves names without blocking."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._names: list[str] = []
        for entry in entries:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._names.append(entry)
        self._resolved: dict[str, list[Address]] = {}
        self._until = 0.0
        self._looking_up = asyncio.Lock()

    async def know(self, peer: str) -> bool:
        """Whether an address belongs to a proxy."""
        address = _address(peer)
        if address is None:
            return False
        if any(address in network for network in self._networks):
            return True
        if self._names:
            await self._look_up()
        return any(address in addresses for addresses in self._resolved.values())

    async def _look_up(self) -> None:
        """Resolve all names again where they are old.

        A name that cannot be resolved now keeps its addresses.
        """
        async with self._looking_up:
            if monotonic() < self._until:
                return
            for name in self._names:
                if addresses := await _addresses(name):
                    self._resolved[name] = addresses
            self._until = monotonic() + NAMES_LAST


async def _addresses(name: str) -> list[Address]:
    """The addresses of a name; none where it cannot be resolved in time."""
    try:
        async with asyncio.timeout(LONGEST_LOOK_UP):
            entries = await asyncio.get_running_loop().getaddrinfo(
                name, None, type=socket.SOCK_STREAM
            )
    except OSError as error:
        log.warning(
            "ALARMSTACK_TRUSTED_PROXIES: the address of %r cannot be resolved: %s",
            name,
            error or "no answer",
        )
        return []
    addresses = [_address(str(endpoint[0])) for *_, endpoint in entries]
    return [address for address in addresses if address is not None]


def _address(text: str) -> Address | None:
    """The address in a text; None for other text. IPv4 within IPv6 becomes IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


__all__ = ["Proxied", "Proxies"]
