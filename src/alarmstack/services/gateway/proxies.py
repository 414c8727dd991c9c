"""Who asks, where a proxy asks for them.

A proxy names the address of its client in `X-Forwarded-For` and the client's scheme in
`X-Forwarded-Proto`. Anybody can send these headers, so they count only where the connection comes
from a proxy that the settings name (ALARMSTACK_TRUSTED_PROXIES).
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
"""Seconds for which the addresses of a proxy's name are known: a container may come back with another one."""
LONGEST_LOOK_UP = 2.0
"""Seconds that a request waits for the address of a proxy."""
log = logging.getLogger(__name__)


class Proxied:
    """An application that sees the client behind a trusted proxy. From anybody else the headers are ignored."""

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        self.app = app
        self._proxies = Proxies(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application's answer to the client that asks."""
        if scope["type"] == "http":
            scope = await self._seen(scope)
        await self.app(scope, receive, send)

    async def _seen(self, scope: Scope) -> Scope:
        """The request as its client made it."""
        told = {
            name: value.decode("latin-1")
            for name, value in scope["headers"]
            if name.startswith(b"x-forwarded-")
        }
        if not told or scope["client"] is None or not await self._proxies.know(scope["client"][0]):
            return scope
        changed = dict(scope)
        client = await self._client(told.get(b"x-forwarded-for", ""))
        if client is not None:
            changed["client"] = (client, 0)
        if told.get(b"x-forwarded-proto") in ("http", "https"):
            changed["scheme"] = told[b"x-forwarded-proto"]
        return changed

    async def _client(self, forwarded: str) -> str | None:
        """The last address that no trusted proxy has: what stands before it was written by somebody else."""
        for entry in reversed(forwarded.split(",")):
            address = _address(entry.strip())
            if address is None:
                return None
            if not await self._proxies.know(str(address)):
                return str(address)
        return None


class Proxies:
    """Addresses, networks and names of proxies; names are looked up now and then, never by the event loop itself."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._names: list[str] = []
        for entry in entries:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                self._names.append(entry)
        self._found: dict[str, list[Address]] = {}
        self._until = 0.0
        self._looking_up = asyncio.Lock()

    async def know(self, peer: str) -> bool:
        """Whether an address is a proxy's."""
        address = _address(peer)
        if address is None:
            return False
        if any(address in network for network in self._networks):
            return True
        if self._names:
            await self._look_up()
        return any(address in found for found in self._found.values())

    async def _look_up(self) -> None:
        """Find the addresses of all names again where they are old. What cannot be found now keeps the addresses it had."""
        async with self._looking_up:
            if monotonic() < self._until:
                return
            for name in self._names:
                if addresses := await _addresses(name):
                    self._found[name] = addresses
            self._until = monotonic() + NAMES_LAST


async def _addresses(name: str) -> list[Address]:
    """The addresses of a name; none where it cannot be found in time."""
    try:
        async with asyncio.timeout(LONGEST_LOOK_UP):
            found = await asyncio.get_running_loop().getaddrinfo(
                name, None, type=socket.SOCK_STREAM
            )
    except OSError as error:
        log.warning(
            "ALARMSTACK_TRUSTED_PROXIES: the address of %r cannot be found: %s",
            name,
            error or "no answer",
        )
        return []
    return [address for *_, at in found if (address := _address(str(at[0]))) is not None]


def _address(written: str) -> Address | None:
    """An address as text; None for what is none. An IPv4 address within IPv6 is the IPv4 address."""
    try:
        address = ip_address(written.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


__all__ = ["Proxied", "Proxies"]
