"""Server-sent events out of lines of text."""

from __future__ import annotations

from collections.abc import AsyncIterator

from alarmstack.services.monitor.hub import Event


async def events(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    """The events of a stream, as the HTML standard reads them: fields until an empty line; comments are heartbeats.

    A heartbeat comes as an event without a name.
    """
    name, data = "", []
    async for line in lines:
        if line.startswith(":"):
            yield Event("", "")
        elif line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            name = value if field == "event" else name
            data += [value] if field == "data" else []
        else:
            if data:
                yield Event(name or "message", "\n".join(data))
            name, data = "", []


__all__ = ["events"]
