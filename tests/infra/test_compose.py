"""Checks of the compose files and Dockerfiles, without an engine.

They cover services, published ports, permissions, variables, networks and images.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from alarmstack.services.gateway.credentials import HASH_BYTES
from alarmstack.services.gateway.logins import _hashing
from alarmstack.services.gateway.page import FOREVER, HEADERS
from tests.conftest import REPOSITORY

INFRA = REPOSITORY / "infra"
FULL: dict[str, Any] = yaml.safe_load((INFRA / "compose.yml").read_text())
FRONTEND: dict[str, Any] = yaml.safe_load((INFRA / "compose.frontend.yml").read_text())
STACKS = {"full": FULL, "frontend": FRONTEND}
SERVICES = [
    pytest.param(stack, name, id=f"{kind}-{name}")
    for kind, stack in STACKS.items()
    for name in stack["services"]
]
DOCKERFILES = sorted((INFRA / "images").glob("*.Dockerfile"))
ONE_SHOT = {"minio_bootstrap", "airflow-init"}
BYTES = {"m": 2**20, "g": 2**30}
PINNED = re.compile(r"[a-z0-9.-]+(?::\d+)?/[\w./-]+:(?!latest$)\w*\d[\w.-]*")
"""Registry, name, and a tag with a version number."""


def service(stack: dict[str, Any], name: str) -> dict[str, Any]:
    definition: dict[str, Any] = stack["services"][name]
    return definition


def ports(stack: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str]]:
    """(service, port in the container) → (address, default port on the host)."""
    published = {}
    for name, one in stack["services"].items():
        for port in one.get("ports", []):
            address, outside, inside = re.fullmatch(r"(.+):\$\{\w+:-(\d+)\}:(\d+)", port).groups()  # type: ignore[union-attr]
            published[name, inside] = (address, outside)
    return published


def test_the_services_are_those_of_the_contract() -> None:
    assert set(FULL["services"]) == {
        "postgres",
        "minio",
        "minio_bootstrap",
        "mlflow",
        "airflow-init",
        "airflow-webserver",
        "airflow-scheduler",
        "spark-master",
        "spark-worker",
        "file-watcher",
        "mock-sensor-api",
        "inference-api",
        "frontend-api",
        "svelte-ui",
        "prometheus",
        "grafana",
        "nginx",
        "postgres-exporter",
        "node-exporter",
    }
    assert {name for name, one in FRONTEND["services"].items() if "profiles" not in one} == {
        "mock-sensor-api",
        "frontend-api",
        "inference-api",
        "svelte-ui",
    }
    assert {
        name: one["profiles"] for name, one in FRONTEND["services"].items() if "profiles" in one
    } == {
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }
    assert (FULL["name"], FRONTEND["name"]) == ("alarmstack", "alarmstack-frontend"), (
        "with one project name, each stack would recreate services of the other"
    )


def test_nothing_is_published_but_what_must_be_and_one_entrance_alone_to_everybody() -> None:
    assert ports(FULL) == {
        ("nginx", "8088"): ("${UI_BIND:-0.0.0.0}", "8088"),
        **{
            (name, inside): ("127.0.0.1", outside)
            for name, inside, outside in [
                ("minio", "9000", "9000"),
                ("minio", "9001", "9001"),
                ("mlflow", "5000", "5000"),
                ("airflow-webserver", "8080", "8080"),
                ("spark-master", "8081", "8081"),
                ("prometheus", "9090", "9090"),
                ("grafana", "3000", "3000"),
            ]
        },
    }
    assert ports(FRONTEND) == {
        ("svelte-ui", "5173"): ("127.0.0.1", "5173"),
        ("frontend-api", "7501"): ("127.0.0.1", "7501"),
        ("inference-api", "7502"): ("127.0.0.1", "7502"),
        ("prometheus", "9090"): ("127.0.0.1", "9090"),
        ("grafana", "3000"): ("127.0.0.1", "3000"),
    }


@pytest.mark.parametrize("kind", STACKS)
def test_all_limits_together_stay_below_8_gb(kind: str) -> None:
    limits = [one["mem_limit"] for one in STACKS[kind]["services"].values()]
    assert sum(int(limit[:-1]) * BYTES[limit[-1]] for limit in limits) < 8 * 2**30


@pytest.mark.parametrize("kind", STACKS)
def test_logins_at_the_same_time_do_not_exceed_the_memory_of_the_gateway(kind: str) -> None:
    """The gateway takes up to 256 MiB without them."""
    limit = service(STACKS[kind], "frontend-api")["mem_limit"]
    needed = 256 * 2**20 + int(_hashing.total_tokens) * HASH_BYTES
    assert int(limit[:-1]) * BYTES[limit[-1]] >= needed


@pytest.mark.parametrize(("stack", "name"), SERVICES)
def test_a_service_may_do_no_more_than_it_must(stack: dict[str, Any], name: str) -> None:
    one = service(stack, name)
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"] and "cap_add" not in one and "privileged" not in one
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["pids_limit"] > 0
    assert "network_mode" not in one and one["networks"]
    assert all("docker.sock" not in str(volume) for volume in one.get("volumes", []))


@pytest.mark.parametrize(("stack", "name"), SERVICES)
def test_a_service_restarts_and_has_a_health_check(stack: dict[str, Any], name: str) -> None:
    one = service(stack, name)
    if name in ONE_SHOT:
        assert one["restart"] == "on-failure"
    else:
        assert one["restart"] == "unless-stopped" and one["healthcheck"]["test"][0] in (
            "CMD",
            "CMD-SHELL",
        )


@pytest.mark.parametrize(("stack", "name"), SERVICES)
def test_an_image_is_built_here_or_named_in_full_with_its_version(
    stack: dict[str, Any], name: str
) -> None:
    image = service(stack, name)["image"]
    assert PINNED.fullmatch(image), image
    built_here = image.startswith("localhost/")
    builders = [
        other
        for other, one in stack["services"].items()
        if one["image"] == image and "build" in one
    ]
    assert len(builders) == (1 if built_here else 0), f"{image} is built for {builders}"
    for builder in builders:
        build = service(stack, builder)["build"]
        assert build["args"] == {"SOURCES": "${ALARMSTACK_SOURCES:-unknown}"}
        file = (INFRA / build["context"] / build["dockerfile"]).resolve()
        assert file in DOCKERFILES and (
            "target" not in build or f" AS {build['target']}\n" in file.read_text()
        )


def test_both_stacks_build_an_image_in_the_same_way() -> None:
    built = [
        (one["image"], one["build"])
        for stack in STACKS.values()
        for one in stack["services"].values()
        if "build" in one
    ]
    assert len({image for image, _ in built}) == len(
        {(image, str(build)) for image, build in built}
    )


@pytest.mark.parametrize("kind", STACKS)
def test_files_of_the_host_are_read_only_and_labelled_and_there(kind: str) -> None:
    for name, one in STACKS[kind]["services"].items():
        for volume in one.get("volumes", []):
            source, _, options = (*re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":"), "")[:3]
            if source == "/dev/null":
                assert options == "ro", f"{name}: {volume}"
            elif source.startswith("."):
                assert set(options.split(",")) == {"ro", "z"}, f"{name}: {volume}"
                assert source == "../data_drop" or (INFRA / source).exists(), f"{name}: {volume}"
            else:
                assert source in STACKS[kind]["volumes"], f"{name}: {volume}"
    used = {
        volume.split(":")[0]
        for one in STACKS[kind]["services"].values()
        for volume in one.get("volumes", [])
    }
    assert set(STACKS[kind]["volumes"]) <= used


def variables(text: str) -> dict[str, set[str]]:
    """Each variable of a compose file, and the text after its name (default or error message)."""
    suffixes: dict[str, set[str]] = {}
    for name, suffix in re.findall(
        r"(?<!\$)\$\{(\w+)(:?[-?][^}]*)?\}", re.sub(r"(?m)^\s*#.*$", "", text)
    ):
        suffixes.setdefault(name, set()).add(suffix)
    return suffixes


SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$|FERNET|ROOT_USER|ADMIN_USER|POSTGRES_USER")


def test_every_login_is_asked_for_with_a_message_and_nothing_else_is() -> None:
    used = variables((INFRA / "compose.yml").read_text())
    required = {
        name
        for name, suffixes in used.items()
        if any(suffix.startswith(":?") for suffix in suffixes)
    }
    assert required == {name for name in used if SECRET.search(name)}
    for name in required:
        assert used[name] == {":?is not set - run make init, which writes infra/.env"}
    for name in used.keys() - required:
        assert all(suffix.startswith(":-") for suffix in used[name]), name


def test_the_demonstration_requires_no_variable() -> None:
    used = variables((INFRA / "compose.frontend.yml").read_text())
    assert used
    assert all(suffix.startswith(":-") for suffixes in used.values() for suffix in suffixes)
    assert not [name for name in used if SECRET.search(name)]


@pytest.mark.parametrize("kind", STACKS)
def test_the_file_contains_no_secret(kind: str) -> None:
    for name, one in STACKS[kind]["services"].items():
        for variable, value in one.get("environment", {}).items():
            if SECRET.search(variable) or re.search(r"://[^/]*:[^/]*@", str(value)):
                assert "${" in str(value) or str(value) in ("", "true"), f"{name}: {variable}"


def hosts(text: str) -> set[str]:
    """Host names in the addresses of a text, with the default of each variable."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+:\?[^}]*\}", "secret", text))
    return set(re.findall(r"(?:://(?:[^/@\s]*@)?)([a-z][a-z-]+)(?=[:/])", text))


@pytest.mark.parametrize(("stack", "name"), SERVICES)
def test_a_service_shares_a_network_with_each_service_that_it_calls(
    stack: dict[str, Any], name: str
) -> None:
    one, called = service(stack, name), set[str]()
    for value in [
        *map(str, one.get("environment", {}).values()),
        *map(str, one.get("command", [])),
    ]:
        called |= hosts(value)
    for other in called & stack["services"].keys() - {name}:
        assert set(one["networks"]) & set(service(stack, other)["networks"]), (
            f"{name} cannot reach {other}"
        )
    unknown = called - stack["services"].keys() - {"localhost"}
    assert not unknown, f"{name} calls {unknown}, which are not services"


def test_services_depend_only_on_healthy_services_that_keep_running() -> None:
    """Podman starts the dependencies of a container with it, also those that have finished."""
    for stack in STACKS.values():
        for one in stack["services"].values():
            for other, wait in one.get("depends_on", {}).items():
                assert other not in ONE_SHOT and wait == {"condition": "service_healthy"}, other
                assert "healthcheck" in service(stack, other)


@pytest.mark.parametrize(("file", "stack"), [("prometheus.yml", FULL), ("frontend.yml", FRONTEND)])
def test_prometheus_shares_a_network_with_each_target(file: str, stack: dict[str, Any]) -> None:
    jobs = yaml.safe_load((INFRA / "prometheus" / file).read_text())["scrape_configs"]
    networks = set(service(stack, "prometheus")["networks"])
    for job in jobs:
        host, _, _ = job["static_configs"][0]["targets"][0].partition(":")
        assert host == "localhost" or set(service(stack, host)["networks"]) & networks, host


def test_nobody_but_its_clients_reaches_the_database() -> None:
    assert {name for name, one in FULL["services"].items() if "databases" in one["networks"]} == {
        "postgres",
        "mlflow",
        "frontend-api",
        "airflow-init",
        "airflow-webserver",
        "airflow-scheduler",
        "postgres-exporter",
    }
    assert all(
        FULL["networks"][name] == {"internal": True} for name in ("databases", "exporters", "plant")
    )
    assert FRONTEND["networks"]["plant"] == {"internal": True}
    assert service(FULL, "nginx")["networks"] == ["edge"]


def stages(text: str) -> dict[str, tuple[str, str]]:
    """Name of each stage of a Dockerfile → its base image (arguments resolved) and its lines.

    The name of the last stage may be empty.
    """
    text = re.sub(r"(?m)^#.*\n", "", text)
    arguments = dict(re.findall(r"(?m)^ARG (\w+)=(\S+)$", text))
    heads = re.findall(r"(?m)^FROM (\S+)(?: AS (\S+))?$", text)
    bodies = re.split(r"(?m)^FROM .*$", text)[1:]
    return {
        name: (arguments.get(base.strip("${}"), base), body)
        for (base, name), body in zip(heads, bodies, strict=True)
    }


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_every_image_has_an_unprivileged_user_a_health_check_and_a_sources_label(
    file: Path,
) -> None:
    all_stages = stages(file.read_text())
    assert len(all_stages) > 1, "build tools do not belong in the image that runs"
    assert all(PINNED.fullmatch(base) or base in all_stages for base, _ in all_stages.values())
    builds = [
        one["build"]
        for stack in STACKS.values()
        for one in stack["services"].values()
        if "build" in one
    ]
    for target in {
        build.get("target", "") for build in builds if build["dockerfile"].endswith(file.name)
    }:
        base, lines = all_stages[target]
        assert lines.rstrip().endswith(
            'ARG SOURCES=unknown\nRUN : built from "${SOURCES}"\n'
            "LABEL org.alarmstack.sources=${SOURCES}"
        ), target
        while base in all_stages:
            base, lines = all_stages[base][0], all_stages[base][1] + lines
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", re.findall(r"(?m)^USER (\S+)$", lines)[-1]), (
            target
        )
        assert "\nHEALTHCHECK" in lines, target


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_what_is_installed_is_what_the_locks_say(file: Path) -> None:
    text = file.read_text()
    assert all(" --frozen " in line for line in text.splitlines() if "uv sync" in line)
    assert "npm install" not in text
    for line in re.findall(r"pip install (.*)", text):
        packages = [word for word in line.split() if not word.startswith("-") and "==" not in word]
        assert not [one for one in packages if re.fullmatch(r"[a-z][a-z0-9-]+", one)], line


def test_files_that_nginx_serves_carry_the_gateways_headers() -> None:
    sent = dict(
        re.findall(r'add_header (\S+) "(.*)" always;', (INFRA / "nginx/headers.conf").read_text())
    )
    assert sent == HEADERS
    assert (
        f'add_header Cache-Control "{FOREVER}" always;' in (INFRA / "nginx/page.conf").read_text()
    )
