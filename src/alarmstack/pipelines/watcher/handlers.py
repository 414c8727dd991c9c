"""Two ways to process a drop: by a request to Airflow, or in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import httpx

from alarmstack.core.errors import ServiceError, SourceError
from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings
from alarmstack.pipelines.etl.local import Archive, run
from alarmstack.pipelines.watcher.ledger import Entry
from alarmstack.preparation.intake import take_in
from alarmstack.preparation.quality import forget_refused
from alarmstack.sources import guarded
from alarmstack.sources.problems import file_name, printable
from alarmstack.storage.files import Store

DAG = "ingest_etl_local_drop"
CONFLICT = 409
"""Airflow's status if a run of this name exists: the drop was handed over before a restart."""
STEP_TIMEOUT = 10.0
"""Wall seconds for one step of a request to Airflow: connect, send, wait for the next part."""
REQUEST_TIMEOUT = 30.0
"""Wall seconds for the whole request: a response can arrive in very small parts."""
LARGEST_RESPONSE = 1024 * 1024
"""Bytes. The responses of Airflow have some hundreds."""
NOT_IN_A_RUN_ID = re.compile(r"[^A-Za-z0-9_.~:+-]")
"""Characters that Airflow refuses in the name of a run (`[scheduler] allowed_run_id_pattern`)."""


class Handler(Protocol):
    """Processes a drop."""

    def __call__(self, path: Path, sha256: str) -> Entry:
        """Process a drop and return its outcome.

        Raises SourceError or GateRefused if the drop is at fault, another AlarmstackError if a
        retry may succeed.
        """
        ...


class InProcess:
    """Intake and ETL in this process; a child process reads the files.

    Refused data are copied to the folder `refused` with the reasons.
    """

    def __init__(self, plant: Plant, settings: Settings) -> None:
        self.plant, self.settings = plant, settings

    def __call__(self, path: Path, sha256: str) -> Entry:
        """Run the ETL, unless the latest run in the store is of this drop.

        That is the case if the process ended after the run and before the ledger was written.
        """
        store, drop = Store.of(self.settings), {"name": file_name(path), "sha256": sha256}
        latest = store.latest()
        if latest is not None and latest.get("drop") == drop:
            return Entry(path.name, sha256, "taken", str(latest["run"]))
        refused = self.settings.data / "refused"
        forget_refused(refused, self.settings.keep_drops_days)
        taken = take_in(self.plant, path, refused=refused, read=guarded(self.settings))
        manifest = run(
            self.plant, taken, store, archive=Archive.of(self.settings), about={"drop": drop}
        )
        return Entry(path.name, sha256, "taken", str(manifest["run"]))


class Airflow:
    """Airflow's REST API v2: a login for a token, then a run of the DAG.

    The name of the run prevents a drop from running twice.
    """

    def __init__(
        self, url: str, user: str, password: str, client: Callable[[], httpx.Client] | None = None
    ) -> None:
        self.url, self._login = url.rstrip("/"), {"username": user, "password": password}
        self._client = client or (lambda: httpx.Client(timeout=STEP_TIMEOUT))
        self._token = ""

    def __call__(self, path: Path, sha256: str) -> Entry:
        """Hand a drop over. Raises ServiceError if Airflow does not answer or refuses the login."""
        source = str(path.resolve())
        if source.encode(errors="replace") != source.encode(errors="surrogateescape"):
            raise SourceError("its name is not valid UTF-8, which Airflow requires: rename it")
        name = f"drop-{sha256[:16]}-{NOT_IN_A_RUN_ID.sub('_', path.stem)[:80]}"
        body: dict[str, object] = {
            "dag_run_id": name,
            "logical_date": None,
            "conf": {"source_path": source},
        }
        with self._client() as client:
            answer = self._ask(client, body)
        if answer.status == CONFLICT and answer.body:
            return Entry(path.name, sha256, "handed over", name)
        if not answer.success:
            raise ServiceError(f"Airflow at {self.url} did not accept {file_name(path)}: {answer}")
        if answer.body.get("dag_run_id") != name:
            raise ServiceError(
                f"{self.url} does not answer like Airflow ({answer}): check ALARMSTACK_AIRFLOW_URL"
            )
        return Entry(path.name, sha256, "handed over", name)

    def _ask(self, client: httpx.Client, body: dict[str, object]) -> Answer:
        try:
            answer = self._trigger(client, body) if self._token else None
            if answer is None or answer.status == httpx.codes.UNAUTHORIZED:
                self._token = self._new_token(client)
                answer = self._trigger(client, body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServiceError(
                f"Airflow at {self.url} does not answer ({error}): check ALARMSTACK_AIRFLOW_URL"
            ) from error
        return answer

    def _trigger(self, client: httpx.Client, body: dict[str, object]) -> Answer:
        url = f"{self.url}/api/v2/dags/{DAG}/dagRuns"
        return _post(client, url, body, {"Authorization": f"Bearer {self._token}"})

    def _new_token(self, client: httpx.Client) -> str:
        answer = _post(client, f"{self.url}/auth/token", self._login, {})
        if not answer.success:
            raise ServiceError(
                f"Airflow at {self.url} refuses the login {self._login['username']!r} "
                f"({answer.status}): correct AIRFLOW_ADMIN_USER and AIRFLOW_ADMIN_PASSWORD"
            )
        token = answer.body.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise ServiceError(
                f"{self.url} does not answer like Airflow ({answer}): check ALARMSTACK_AIRFLOW_URL"
            )
        return token


class Answer:
    """An HTTP response: its status, and its JSON object (empty if it has none)."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status, self.content, self.body = status, content, _json_object(content)

    @property
    def success(self) -> bool:
        """Whether the status means success."""
        return self.status in (httpx.codes.OK, httpx.codes.CREATED)

    def __str__(self) -> str:
        return printable(f"{self.status} {self.content[:200].decode(errors='replace')}")


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _post(client: httpx.Client, url: str, body: dict[str, Any], headers: dict[str, str]) -> Answer:
    """Send a request; the size and the time of the response are limited."""
    end, content = monotonic() + REQUEST_TIMEOUT, b""
    with client.stream("POST", url, json=body, headers=headers) as answer:
        for part in answer.iter_bytes():
            content += part
            if len(content) > LARGEST_RESPONSE or monotonic() > end:
                raise httpx.ReadTimeout("the response is too long or too slow")
        return Answer(answer.status_code, content)


__all__ = ["DAG", "Airflow", "Handler", "InProcess"]
