"""Two ways to take a drop in: ask Airflow to, or do it here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx

from alarmstack.errors import GateRefused, ServiceError, SourceError
from alarmstack.etl.intake import take_in
from alarmstack.etl.local import Archive, run
from alarmstack.plant import Plant
from alarmstack.settings import Settings
from alarmstack.storage import Store
from alarmstack.watcher.ledger import Entry

DAG = "ingest_etl_local_drop"
CONFLICT = 409
"""What Airflow answers for a run of a name that is there already: this drop was handed over before a restart."""
PATIENCE = 10.0
"""Wall seconds for one question to Airflow."""


class Taker(Protocol):
    """Takes a drop in."""

    def __call__(self, path: Path, sha256: str) -> Entry:
        """What became of it. Raises AlarmstackError where it may go better later."""
        ...


class InProcess:
    """Intake and ETL in this process. What the gate refuses is kept aside with its verdict."""

    def __init__(self, plant: Plant, settings: Settings) -> None:
        self.plant, self.settings = plant, settings

    def __call__(self, path: Path, sha256: str) -> Entry:
        """One run of the ETL; a drop that is the store's latest run already (a restart came before it was written down) is none."""
        store, drop = Store.of(self.settings), {"name": path.name, "sha256": sha256}
        latest = store.latest()
        if latest is not None and latest.get("drop") == drop:
            return Entry(path.name, sha256, "taken", str(latest["run"]))
        try:
            taken = take_in(self.plant, path, refused=self.settings.data / "refused")
        except GateRefused as refusal:
            return Entry(path.name, sha256, "refused", str(refusal).splitlines()[0])
        except SourceError as error:
            return Entry(path.name, sha256, "unreadable", str(error).splitlines()[0])
        manifest = run(self.plant, taken, store, archive=Archive.of(self.settings), about={"drop": drop})
        return Entry(path.name, sha256, "taken", str(manifest["run"]))


class Airflow:
    """Airflow's REST API v2: a token for a login, then a run of the DAG, whose name keeps a drop from running twice."""

    def __init__(self, url: str, user: str, password: str, client: Callable[[], httpx.Client] | None = None) -> None:
        self.url, self._login = url.rstrip("/"), {"username": user, "password": password}
        self._client = client or (lambda: httpx.Client(timeout=PATIENCE))
        self._token = ""

    def __call__(self, path: Path, sha256: str) -> Entry:
        """Hand a drop over. Raises ServiceError while Airflow is away or does not let us in."""
        name = f"drop-{sha256[:16]}-{path.stem[:80]}"
        body: dict[str, object] = {"dag_run_id": name, "logical_date": None, "conf": {"source_path": str(path.resolve())}}
        with self._client() as client:
            answer = self._ask(client, body)
        if answer.status_code not in (httpx.codes.OK, httpx.codes.CREATED, CONFLICT):
            raise ServiceError(f"Airflow at {self.url} did not take {path.name}: {answer.status_code} {answer.text[:200]}")
        return Entry(path.name, sha256, "handed over", name)

    def _ask(self, client: httpx.Client, body: dict[str, object]) -> httpx.Response:
        try:
            answer = self._trigger(client, body) if self._token else None
            if answer is None or answer.status_code == httpx.codes.UNAUTHORIZED:
                self._token = self._new_token(client)
                answer = self._trigger(client, body)
        except httpx.HTTPError as error:
            raise ServiceError(f"Airflow at {self.url} does not answer ({error}): is ALARMSTACK_AIRFLOW_URL right?") from error
        return answer

    def _trigger(self, client: httpx.Client, body: dict[str, object]) -> httpx.Response:
        return client.post(f"{self.url}/api/v2/dags/{DAG}/dagRuns", json=body, headers={"Authorization": f"Bearer {self._token}"})

    def _new_token(self, client: httpx.Client) -> str:
        answer = client.post(f"{self.url}/auth/token", json=self._login)
        if not answer.is_success:
            raise ServiceError(
                f"Airflow at {self.url} refuses the login {self._login['username']!r} ({answer.status_code}): mend "
                "AIRFLOW_ADMIN_USER and AIRFLOW_ADMIN_PASSWORD"
            )
        return str(answer.json()["access_token"])


__all__ = ["DAG", "Airflow", "InProcess", "Taker"]
