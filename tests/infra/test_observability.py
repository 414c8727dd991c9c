"""Prometheus and Grafana's files, held against the real programs: what they ask for is what the
services tell.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
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
def test_promtool_finds_nothing_wrong(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [program("promtool"), *words], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_and_says_what_to_do() -> None:
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
    """Grafana's own types, by the TypeScript compiler."""
    modules = REPOSITORY / "ui/node_modules"
    if not (modules / "@grafana/schema").is_dir():
        missing("@grafana/schema", "`make test` installs it")
    (tmp_path / "node_modules").symlink_to(modules)
    # JSON writes an enumeration's value where TypeScript wants its name.
    plain = "T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T"
    lines = [
        f"type Plain<T> = {plain};",
        f"export const it: Plain<Dashboard> = {json.dumps(DASHBOARD)};",
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


def test_every_panel_is_explained_and_asks_the_provisioned_source(plant: Any) -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    for panel in PANELS:
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {source["uid"]}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    text = json.dumps(DASHBOARD).lower()
    assert not [i.key for i in plant.instruments if i.key in text], "tags belong in plant.toml"


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


def here(rules: str) -> str:
    """Rules about the volumes' disk, for a computer that has none mounted: about its root."""
    return rules.replace('"/volumes"', '"/"')


def exporters(
    postgres: Postgres, database: int, host: int
) -> list[tuple[list[str], dict[str, str]]]:
    """Command and environment of each exporter, as the full stack starts it but for where it
    listens and asks.
    """
    services = yaml.safe_load((REPOSITORY / "infra/compose.yml").read_text())["services"]
    told = services["postgres-exporter"]["environment"] | {"DATA_SOURCE_PASS": EXPORTER_PASSWORD}
    told["DATA_SOURCE_URI"] = told["DATA_SOURCE_URI"].replace(
        "postgres:5432", f"127.0.0.1:{postgres.port}"
    )
    options = [option.replace("$$", "$") for option in services["node-exporter"]["command"]]
    return [
        (
            [program("prometheus-postgres-exporter"), f"--web.listen-address=127.0.0.1:{database}"],
            told,
        ),
        (
            [
                program("prometheus-node-exporter"),
                *options,
                f"--web.listen-address=127.0.0.1:{host}",
            ],
            {},
        ),
    ]


@pytest.fixture(scope="module")
def asked(
    home: Path,
    mlflow_server: MlflowServer,
    object_store: ObjectStore,
    postgres: Postgres,
    role_urls: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """A real Prometheus that scrapes the real services by the committed configuration, but for
    their ports and its haste.
    """
    folder = tmp_path_factory.mktemp("observed")
    sensors, inference, gateway, page, database, host, own = free_ports(7)
    told = {
        "ALARMSTACK_DATA_DIR": str(folder / "data"),
        "ALARMSTACK_SENSORS_PORT": str(sensors),
        "ALARMSTACK_INFERENCE_PORT": str(inference),
        "ALARMSTACK_GATEWAY_PORT": str(gateway),
        "ALARMSTACK_PAGE_PORT": str(page),
        "ALARMSTACK_SENSORS_URL": f"http://127.0.0.1:{sensors}",
        "ALARMSTACK_INFERENCE_URL": f"http://127.0.0.1:{inference}",
        "ALARMSTACK_METRICS_TOKEN": TOKEN,
        "JWT_SECRET": "0123456789abcdef0123456789abcdefgh",
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
        "ALARMSTACK_SPEED": "3600",
    }
    config = CONFIG.replace("15s", "500ms")
    ports = {
        "frontend-api:7501": gateway,
        "inference-api:7502": inference,
        "mock-sensor-api:7500": sensors,
        "mlflow:5000": int(mlflow_server.url.rsplit(":", 1)[1]),
        "minio:9327": object_store.ports["metricsPort"],
        "postgres-exporter:9187": database,
        "node-exporter:9100": host,
        "localhost:9090": own,
    }
    for target, port in ports.items():
        config = config.replace(target, f"127.0.0.1:{port}")
    (folder / "rules").mkdir()
    for file in (PROMETHEUS / "rules").glob("*.yml"):
        (folder / "rules" / file.name).write_text(here(file.read_text()))
    (folder / "prometheus.yml").write_text(config)
    (folder / "metrics_token").write_text(TOKEN)
    command = [
        program("prometheus"),
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=tsdb",
        "--log.level=warn",
    ]
    alarmstack = str(Path(sys.executable).with_name("alarmstack"))
    with (folder / "log").open("wb") as log:
        running = [
            subprocess.Popen(
                [alarmstack, "serve", name],
                env=os.environ | told,
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
            )
            for name in ("sensors", "inference", "gateway")
        ]
        running += [
            subprocess.Popen(words, env=os.environ | environment, stdout=log, stderr=log)
            for words, environment in exporters(postgres, database, host)
        ]
        running.append(
            subprocess.Popen(
                [*command, f"--web.listen-address=127.0.0.1:{own}"],
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        )
        client = httpx.Client(base_url=f"http://127.0.0.1:{own}/api/v1", timeout=10)
        try:
            until(
                lambda: len(values(client, "up == 1")) == len(ports),
                lambda: f"down: {values(client, 'up == 0')}",
            )
            ask_inference(inference)
            until(
                lambda: bool(values(client, "alarmstack_drift_psi")),
                lambda: "no drift was measured",
                seconds=3 * DRIFT_SECONDS,
            )
            yield client
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()


def ask_inference(port: int) -> None:
    """Some questions, so that there are latencies and scores to tell of."""

    def predict() -> bool:
        return httpx.post(
            f"http://127.0.0.1:{port}/predict", json={"features": {"failure_frequency_48": 1}}
        ).is_success

    until(predict, lambda: "the champion is silent")
    assert all(predict() for _ in range(20))


def values(client: httpx.Client, expression: str) -> list[Any]:
    """What an expression gives now; nothing while Prometheus starts."""
    try:
        said = client.get("/query", params={"query": expression})
    except httpx.HTTPError:
        return []
    if said.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return []
    answer = said.json()
    assert answer["status"] == "success", (expression, answer)
    return [one for one in answer["data"]["result"] if one["value"][1] != "NaN"]


def answered(client: httpx.Client, expression: str) -> bool:
    return bool(values(client, expression))


@pytest.mark.slow
def test_every_expression_of_the_dashboard_returns_data(asked: httpx.Client) -> None:
    (risk,) = (
        variable for variable in DASHBOARD["templating"]["list"] if variable["name"] == "risk"
    )
    series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", risk["query"]["query"]).groups()  # type: ignore[union-attr]
    known = {one["metric"][label] for one in values(asked, series)}
    assert risk["current"]["value"] in known
    expressions = [
        (panel["title"], target["expr"].replace("$risk", risk["current"]["value"]))
        for panel in PANELS
        for target in panel["targets"]
    ]
    # Rates need two scrapes and recorded figures an evaluation: each is asked until it answers.
    for title, expression in expressions:
        until(
            partial(answered, asked, expression),
            partial("{}: {} returns nothing".format, title, expression),
        )


@pytest.mark.slow
def test_every_rule_is_evaluated_on_series_that_are_there(asked: httpx.Client) -> None:
    """An alert on a figure that nobody tells of would never be raised: what each
    compares has data.
    """
    for rule in RULES:
        expression = here(re.sub(r"\s*(==|>|<)\s*[\d.]+\s*$", "", rule["expr"].strip()))
        until(
            partial(answered, asked, expression), partial("{} returns nothing".format, expression)
        )
    groups = asked.get("/rules").json()["data"]["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
