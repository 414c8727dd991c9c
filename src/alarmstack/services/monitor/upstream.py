"""The services behind the gateway. Every failure of a request is an UpstreamError with advice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError
from pydantic import BaseModel, ValidationError

from alarmstack.core.errors import UpstreamError

TIMEOUT = httpx.Timeout(30.0, connect=3.0)
"""An explanation by a busy inference service takes seconds; a running service connects at once."""
SILENCE = 60.0
"""Seconds without a byte after which a stream counts as dead.

Feeds send a heartbeat more often: a comment, which is not an event.
"""
LIMITS = httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=2.0)
"""An idle connection is closed after 2 s.

Services close theirs after 5 s, and a request that is sent at that instant gets no answer. With an
interval every 5 s, as in the demo, that happened.
"""
Body = TypeVar("Body", bound=BaseModel)


class Upstream:
    """One service by its URL, with a pool of connections.

    `title` names it in messages, `start` is the command that starts it. A stream that is silent for
    `silence` seconds counts as dead.
    """

    def __init__(self, title: str, url: str, start: str, silence: float = SILENCE) -> None:
        self.title, self.url, self.start = title, url.rstrip("/"), start
        self._silence = silence
        self._client = httpx.AsyncClient(
            base_url=self.url, timeout=TIMEOUT, limits=LIMITS, trust_env=False
        )

    async def get(
        self, kind: type[Body], path: str, also: tuple[int, ...] = (), **query: Any
    ) -> Body:
        """GET a body. `also`: error statuses that carry such a body too."""
        return self._read(kind, path, await self._send("GET", path, also, params=query))

    async def get_items(self, path: str, name: str, **query: Any) -> list[Any]:
        """GET a body that holds a list of that name. The caller validates each item."""
        items = (await self.get_mapping(path, **query)).get(name)
        if not isinstance(items, list):
            raise self._unusable(path, TypeError(f"{name} is not a list"))
        return items

    async def get_mapping(self, path: str, **query: Any) -> dict[str, Any]:
        """GET a JSON object. The caller validates its content."""
        response = await self._send("GET", path, params=query)
        try:
            body = response.json()
        except (ValueError, RecursionError) as error:
            raise self._unusable(path, error) from error
        if not isinstance(body, dict):
            raise self._unusable(path, TypeError("not a JSON object"))
        return body

    async def get_list(self, kind: type[Body], path: str) -> list[Body]:
        """GET a list of bodies."""
        response = await self._send("GET", path)
        try:
            return [kind.model_validate(item) for item in response.json()]
        except (ValueError, TypeError) as error:
            raise self._unusable(path, error) from error

    async def post(self, kind: type[Body], path: str, body: BaseModel | Mapping[str, Any]) -> Body:
        """POST a body and return the one in the response."""
        return self._read(kind, path, await self._send("POST", path, json=_plain(body)))

    @asynccontextmanager
    async def events(self, path: str) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
        """The events of a stream until it ends.

        Every byte counts as a sign of life, those of comments included.
        """
        patient = httpx.Timeout(TIMEOUT.connect, read=self._silence)
        try:
            async with self._client.stream("GET", path, timeout=patient) as response:
                if response.is_error:
                    await response.aread()
                    raise self._refused(path, response)
                yield EventSource(response).aiter_sse()
        except SSEError as error:
            raise self._unusable(path, error) from error
        except httpx.HTTPError as error:
            raise self._unreachable(path, error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(
        self, method: str, path: str, also: tuple[int, ...] = (), **content: Any
    ) -> httpx.Response:
        try:
            response = await self._client.request(method, path, **content)
        except httpx.HTTPError as error:
            raise self._unreachable(path, error) from error
        if response.is_error and response.status_code not in also:
            raise self._refused(path, response)
        return response

    def _read(self, kind: type[Body], path: str, response: httpx.Response) -> Body:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise self._unusable(path, error) from error

    def _unreachable(self, path: str, error: httpx.HTTPError) -> UpstreamError:
        connected = not isinstance(error, httpx.ConnectTimeout)
        if isinstance(error, httpx.TimeoutException) and connected:
            return UpstreamError(
                504,
                f"the {self.title} at {self.url} did not answer {path} in time: "
                "try again, or look at its log",
            )
        return UpstreamError(
            503,
            f"the {self.title} does not answer at {self.url}: "
            f"start it (`{self.start}`) or correct its address",
        )

    def _unusable(self, path: str, error: Exception) -> UpstreamError:
        first_line = str(error).splitlines()[0]
        return UpstreamError(
            502,
            f"the {self.title} at {self.url} sent an unusable answer to {path} ({first_line}): "
            "do both have the same version?",
        )

    def _refused(self, path: str, response: httpx.Response) -> UpstreamError:
        """The service's own problem, passed on. An error without one is a bad gateway."""
        problem = _problem(response)
        title, detail, model = (problem.get(part) for part in ("title", "detail", "model"))
        status = response.status_code
        if detail is None:
            return UpstreamError(
                status if status == 503 else 502,
                f"the {self.title} at {self.url} answered {path} with status {status}: "
                "look at its log",
            )
        passed_on = status < 500 or status == 503
        return UpstreamError(status if passed_on else 502, detail, title or "", model)


def _plain(body: BaseModel | Mapping[str, Any]) -> Any:
    return body.model_dump(mode="json", exclude_unset=True) if isinstance(body, BaseModel) else body


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The problem in a response; empty where there is none."""
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) and isinstance(body.get("detail"), str) else {}


__all__ = ["LIMITS", "SILENCE", "TIMEOUT", "Upstream"]
