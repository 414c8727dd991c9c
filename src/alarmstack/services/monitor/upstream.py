"""The services behind the gateway, asked through one pool of connections each. What goes wrong is an UpstreamError with advice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from alarmstack.core.errors import UpstreamError

TIMEOUT = httpx.Timeout(30.0, connect=3.0)
"""An explanation of a busy inference service takes seconds; a service that is there connects at once."""
SILENCE = 60.0
"""Seconds without a byte after which a stream counts as dead; feeds send a heartbeat more often."""
LIMITS = httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=2.0)
"""An idle connection is given up after 2 s. Services close theirs after 5 s, and a request that is sent just then gets no answer:
with an interval every 5 s, as in the demo, that happened."""
Body = TypeVar("Body", bound=BaseModel)


class Upstream:
    """One service by its URL. `title` names it in messages, `start` is the command that starts it."""

    def __init__(self, title: str, url: str, start: str) -> None:
        self.title, self.url, self.start = title, url.rstrip("/"), start
        self._client = httpx.AsyncClient(
            base_url=self.url, timeout=TIMEOUT, limits=LIMITS, trust_env=False
        )

    async def get(
        self, kind: type[Body], path: str, also: tuple[int, ...] = (), **query: Any
    ) -> Body:
        """Ask for a body. `also`: error statuses that carry such a body as well."""
        return self._read(kind, path, await self._send("GET", path, also, params=query))

    async def get_items(self, path: str, name: str, **query: Any) -> list[Any]:
        """Ask for a body that holds a list by that name; what is in it is for the caller to check, item by item."""
        items = (await self.get_mapping(path, **query)).get(name)
        if not isinstance(items, list):
            raise self._nonsense(path, TypeError(f"{name} is not a list"))
        return items

    async def get_mapping(self, path: str, **query: Any) -> dict[str, Any]:
        """Ask for a body of named parts; what is in them is for the caller to check."""
        answer = await self._send("GET", path, params=query)
        try:
            body = answer.json()
        except (ValueError, RecursionError) as error:
            raise self._nonsense(path, error) from error
        if not isinstance(body, dict):
            raise self._nonsense(path, TypeError("not a body of named parts"))
        return body

    async def get_list(self, kind: type[Body], path: str) -> list[Body]:
        """Ask for a list of bodies."""
        answer = await self._send("GET", path)
        try:
            return [kind.model_validate(one) for one in answer.json()]
        except (ValueError, TypeError) as error:
            raise self._nonsense(path, error) from error

    async def post(self, kind: type[Body], path: str, body: BaseModel | Mapping[str, Any]) -> Body:
        """Send a body, get one."""
        return self._read(kind, path, await self._send("POST", path, json=_plain(body)))

    @asynccontextmanager
    async def lines(self, path: str) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a stream, for as long as it lasts."""
        patient = httpx.Timeout(TIMEOUT.connect, read=SILENCE)
        try:
            async with self._client.stream("GET", path, timeout=patient) as answer:
                if answer.is_error:
                    await answer.aread()
                    raise self._refused(path, answer)
                yield answer.aiter_lines()
        except httpx.HTTPError as error:
            raise self._away(path, error) from error

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def _send(
        self, method: str, path: str, also: tuple[int, ...] = (), **content: Any
    ) -> httpx.Response:
        try:
            answer = await self._client.request(method, path, **content)
        except httpx.HTTPError as error:
            raise self._away(path, error) from error
        if answer.is_error and answer.status_code not in also:
            raise self._refused(path, answer)
        return answer

    def _read(self, kind: type[Body], path: str, answer: httpx.Response) -> Body:
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise self._nonsense(path, error) from error

    def _away(self, path: str, error: httpx.HTTPError) -> UpstreamError:
        if isinstance(error, httpx.TimeoutException) and not isinstance(
            error, httpx.ConnectTimeout
        ):
            return UpstreamError(
                504,
                f"the {self.title} at {self.url} did not answer {path} in time: try again, or look at its log",
            )
        return UpstreamError(
            503,
            f"the {self.title} does not answer at {self.url}: start it (`{self.start}`) or correct its address",
        )

    def _nonsense(self, path: str, error: Exception) -> UpstreamError:
        first = str(error).splitlines()[0]
        return UpstreamError(
            502,
            f"the {self.title} at {self.url} answered {path} with something else ({first}): are both of one version?",
        )

    def _refused(self, path: str, answer: httpx.Response) -> UpstreamError:
        """Its own problem, passed on; a failure without one is a bad gateway."""
        told = _problem(answer)
        title, detail, model = (told.get(part) for part in ("title", "detail", "model"))
        if detail is None:
            status = answer.status_code if answer.status_code == 503 else 502
            return UpstreamError(
                status,
                f"the {self.title} at {self.url} answered {path} with status {answer.status_code}: look at its log",
            )
        status = (
            answer.status_code if answer.status_code < 500 or answer.status_code == 503 else 502
        )
        return UpstreamError(status, detail, title or "", model)


def _plain(body: BaseModel | Mapping[str, Any]) -> Any:
    return body.model_dump(mode="json", exclude_unset=True) if isinstance(body, BaseModel) else body


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return told if isinstance(told, dict) and isinstance(told.get("detail"), str) else {}


__all__ = ["LIMITS", "SILENCE", "TIMEOUT", "Upstream"]
