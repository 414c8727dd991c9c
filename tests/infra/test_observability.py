"""The committed Prometheus and Grafana configuration works with the real programs and services."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from alarmstack.services.monitor.loop import DRIFT_SECONDS
from tests.components import missing, program
from tests.conftest import REPOSITORY
from tests.databases import EXPORTER_PASSWORD, Postgres
from tests.mlflow_server import MlflowServer
from tests.object_store import ObjectStore, free_ports
from tests.waiting import until

PROMETHEUS = REPOSITORY / "infra/prometheus"
GRAFANA = REPOSITORY / "infra/grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards/plant_alarm_risk_overview.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = [
    rule
    for file in sorted((PROMETHEUS / "rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
TOKEN = "metrics-0123456789-abcdefghijklmnopq"


@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "config", "--syntax-only", "frontend.yml"),
        ("check", "rules", "rules/recording.yml", "rules/alerts.yml"),
        ("test", "rules", "tests/alerts.yml"),
    ],
    ids=" ".join,
)
def test_promtool_reports_no_error(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [program("promtool"), *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_and_has_an_action() -> None:
    tested = {
        one["alertname"]
        for test in yaml.safe_load((PROMETHEUS / "tests/alerts.yml").read_text())["tests"]
        for one in test.get("alert_rule_test", [])
        if one["exp_alerts"]
    }
    alerts = [rule for rule in RULES if "alert" in rule]
    assert tested == {rule["alert"] for rule in alerts}
    assert all({"summary", "action"} <= rule["annotations"].keys() for rule in alerts)


def test_the_dashboard_is_what_grafana_takes(tmp_path: Path) -> None:
    """The TypeScript compiler checks the dashboard against Grafana's own types."""
    modules = REPOSITORY / "ui/node_modules"
    if not (modules / "@grafana/schema").is_dir():
        missing("@grafana/schema", "`make test` installs it")
    (tmp_path / "node_modules").symlink_to(modules)
    # JSON has the value of an enumeration where TypeScript expects its member.
    plain = "T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T"
    lines = [
        f"type Plain<T> = {plain};",
        f"export const dashboard: Plain<Dashboard> = {json.dumps(DASHBOARD)};",
    ]
    (tmp_path / "check.ts").write_text(
        "\n".join(['import type { Dashboard } from "@grafana/schema";', *lines])
    )
    options = [
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "--ignoreConfig",
    ]
    done = subprocess.run(
        ["node", str(modules / "typescript/bin/tsc"), *options, "check.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[:3000]


def test_every_panel_has_a_description_and_uses_the_provisioned_source(plant: Any) -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    for panel in PANELS:
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {source["uid"]}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    text = json.dumps(DASHBOARD).lower()
    assert not [tag.key for tag in plant.instruments if tag.key in text], (
        "tags belong in plant.toml"
    )


def test_the_scraped_services_are_those_of_the_full_stack() -> None:
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"][0]
        for job in yaml.safe_load(CONFIG)["scrape_configs"]
    }
    assert jobs == {
        "gateway": "frontend-api:7501",
        "inference": "inference-api:7502",
        "sensors": "mock-sensor-api:7500",
        "mlflow": "mlflow:5000",
        "object-store": "minio:9327",
        "database": "postgres-exporter:9187",
        "host": "node-exporter:9100",
        "prometheus": "localhost:9090",
    }
    assert yaml.safe_load(CONFIG)["global"]["scrape_interval"] == "15s"


CONFIG = (PROMETHEUS / "prometheus.yml").read_text()


def with_root_disk(rules: str) -> str:
    """The rules, with `/` instead of the mount point of the volumes, which only the stack has."""
    return rules.replace('"/volumes"', '"/"')


@dataclass(frozen=True)
class Ports:
    """Ports that this test run gives to what it starts."""

    sensors: int
    inference: int
    gateway: int
    page: int
    database_exporter: int
    host_exporter: int
    prometheus: int


Command = tuple[list[str], dict[str, str]]
"""Words of a command, and the environment variables that are added to those of the test."""


def service_commands(ports: Ports, data: Path, registry: str) -> list[Command]:
    """The commands of sensor API, inference API and gateway."""
    environment = {
        "ALARMSTACK_DATA_DIR": str(data),
        "ALARMSTACK_SENSORS_PORT": str(ports.sensors),
        "ALARMSTACK_INFERENCE_PORT": str(ports.inference),
        "ALARMSTACK_GATEWAY_PORT": str(ports.gateway),
        "ALARMSTACK_PAGE_PORT": str(ports.page),
        "ALARMSTACK_SENSORS_URL": f"http://127.0.0.1:{ports.sensors}",
        "ALARMSTACK_INFERENCE_URL": f"http://127.0.0.1:{ports.inference}",
        "ALARMSTACK_METRICS_TOKEN": TOKEN,
        "JWT_SECRET": "0123456789abcdef0123456789abcdefgh",
        "MLFLOW_TRACKING_URI": registry,
        "ALARMSTACK_SPEED": "3600",
    }
    alarmstack = str(Path(sys.executable).with_name("alarmstack"))
    names = ("sensors", "inference", "gateway")
    return [([alarmstack, "serve", name], environment) for name in names]


def exporter_commands(ports: Ports, postgres: Postgres) -> list[Command]:
    """The commands of both exporters: those of the full stack, with the addresses of this test."""
    services = yaml.safe_load((REPOSITORY / "infra/compose.yml").read_text())["services"]
    environment = services["postgres-exporter"]["environment"] | {
        "DATA_SOURCE_PASS": EXPORTER_PASSWORD
    }
    environment["DATA_SOURCE_URI"] = environment["DATA_SOURCE_URI"].replace(
        "postgres:5432", f"127.0.0.1:{postgres.port}"
    )
    options = [option.replace("$$", "$") for option in services["node-exporter"]["command"]]
    database = [
        program("prometheus-postgres-exporter"),
        f"--web.listen-address=127.0.0.1:{ports.database_exporter}",
    ]
    host = [
        program("prometheus-node-exporter"),
        *options,
        f"--web.listen-address=127.0.0.1:{ports.host_exporter}",
    ]
    return [(database, environment), (host, {})]


def prometheus_command(folder: Path, ports: Ports, targets: dict[str, int]) -> Command:
    """The command of Prometheus, after its configuration is written into the folder.

    It is the committed configuration with other ports and a short scrape interval.
    """
    config = CONFIG.replace("15s", "500ms")
    for target, port in targets.items():
        config = config.replace(target, f"127.0.0.1:{port}")
    (folder / "prometheus.yml").write_text(config)
    (folder / "metrics_token").write_text(TOKEN)
    (folder / "rules").mkdir()
    for file in (PROMETHEUS / "rules").glob("*.yml"):
        (folder / "rules" / file.name).write_text(with_root_disk(file.read_text()))
    words = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--log.level=warn",
        f"--web.listen-address=127.0.0.1:{ports.prometheus}",
    ]
    return words, {}


@contextmanager
def running(commands: list[Command], log: Path) -> Iterator[None]:
    """Run the commands until the block ends; all of them write to one log."""
    with log.open("wb") as output:
        processes = [
            subprocess.Popen(
                words, env=os.environ | environment, cwd=REPOSITORY, stdout=output, stderr=output
            )
            for words, environment in commands
        ]
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


@pytest.fixture(scope="module")
def prometheus(
    home: Path,
    mlflow_server: MlflowServer,
    object_store: ObjectStore,
    postgres: Postgres,
    role_urls: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """A client of a real Prometheus that scrapes the real services and exporters."""
    folder = tmp_path_factory.mktemp("observed")
    ports = Ports(*free_ports(7))
    targets = {
        "frontend-api:7501": ports.gateway,
        "inference-api:7502": ports.inference,
        "mock-sensor-api:7500": ports.sensors,
        "mlflow:5000": int(mlflow_server.url.rsplit(":", 1)[1]),
        "minio:9327": object_store.ports["metricsPort"],
        "postgres-exporter:9187": ports.database_exporter,
        "node-exporter:9100": ports.host_exporter,
        "localhost:9090": ports.prometheus,
    }
    commands = [
        *service_commands(ports, folder / "data", f"sqlite:///{home / 'mlflow.db'}"),
        *exporter_commands(ports, postgres),
        prometheus_command(folder, ports, targets),
    ]
    client = httpx.Client(base_url=f"http://127.0.0.1:{ports.prometheus}/api/v1", timeout=10)
    with running(commands, folder / "log"), client:
        until(
            lambda: len(values(client, "up == 1")) == len(targets),
            lambda: f"down: {values(client, 'up == 0')}",
        )
        request_predictions(ports.inference)
        until(
            lambda: bool(values(client, "alarmstack_drift_psi")),
            lambda: "no drift was measured",
            seconds=3 * DRIFT_SECONDS,
        )
        yield client


def request_predictions(port: int) -> None:
    """Send requests to the inference API, so that it has latencies and scores to report."""

    def predict() -> bool:
        return httpx.post(
            f"http://127.0.0.1:{port}/predict", json={"features": {"failure_frequency_48": 1}}
        ).is_success

    until(predict, lambda: "the champion gives no prediction")
    assert all(predict() for _ in range(20))


def values(client: httpx.Client, expression: str) -> list[Any]:
    """The samples of an expression now; an empty list while Prometheus starts."""
    try:
        response = client.get("/query", params={"query": expression})
    except httpx.HTTPError:
        return []
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return []
    answer = response.json()
    assert answer["status"] == "success", (expression, answer)
    return [sample for sample in answer["data"]["result"] if sample["value"][1] != "NaN"]


def has_data(client: httpx.Client, expression: str) -> bool:
    return bool(values(client, expression))


@pytest.mark.slow
def test_every_expression_of_the_dashboard_returns_data(prometheus: httpx.Client) -> None:
    (risk,) = (
        variable for variable in DASHBOARD["templating"]["list"] if variable["name"] == "risk"
    )
    series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", risk["query"]["query"]).groups()  # type: ignore[union-attr]
    known = {sample["metric"][label] for sample in values(prometheus, series)}
    assert risk["current"]["value"] in known
    expressions = [
        (panel["title"], target["expr"].replace("$risk", risk["current"]["value"]))
        for panel in PANELS
        for target in panel["targets"]
    ]
    # A rate needs two scrapes, and a recorded series needs an evaluation of its rule.
    for title, expression in expressions:
        until(
            partial(has_data, prometheus, expression),
            partial("{}: {} returns nothing".format, title, expression),
        )


@pytest.mark.slow
def test_every_rule_is_evaluated_on_series_that_exist(prometheus: httpx.Client) -> None:
    """An alert on a metric that no service exports is never raised."""
    for rule in RULES:
        expression = with_root_disk(re.sub(r"\s*(==|>|<)\s*[\d.]+\s*$", "", rule["expr"].strip()))
        until(
            partial(has_data, prometheus, expression),
            partial("{} returns nothing".format, expression),
        )
    groups = prometheus.get("/rules").json()["data"]["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
