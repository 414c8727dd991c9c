"""The demo: run every step from simulated files to scored models, then start all services."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from alarmstack.cli.output import console
from alarmstack.cli.users import demo_login
from alarmstack.core.folder import claimed
from alarmstack.core.settings import Settings, load_settings

if TYPE_CHECKING:
    from alarmstack.cli.supervisor import Service

commands = typer.Typer(rich_markup_mode=None)
LOOPBACK = "127.0.0.1"


@commands.command()
def demo(
    serve: Annotated[
        bool, typer.Option(help="At the end, start all services and run until Ctrl-C.")
    ] = True,
) -> None:
    """Run every step, then start the services.

    Simulates, ingests, trains, evaluates and scores. Steps that were completed by an earlier run
    are skipped.

    Example: alarmstack demo
    """
    from alarmstack.pipelines.demo import run_demo

    settings = load_settings()
    if serve:
        check_demo(settings)
    with claimed(settings.data, "demo"):
        run_demo(settings, console)
    if serve:
        _become_serve_all()


def check_demo(settings: Settings) -> None:
    """Raise ServiceError if a port that the demo needs is in use."""
    from alarmstack.cli.supervisor import check_ports

    check_ports(demo_services(settings))


def _become_serve_all() -> None:
    """Replace this process by `alarmstack serve all`, which frees the memory used by training."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "alarmstack.cli", "serve", "all"])


def demo_services(settings: Settings) -> list[Service]:
    """The services of the demo on loopback, with a session secret for this run only."""
    from alarmstack.cli.supervisor import Service

    environment = {
        "ALARMSTACK_SERVE_UNPROMOTED": "true",
        "ALARMSTACK_SENSORS_URL": f"http://{LOOPBACK}:{settings.sensors_port}",
        "ALARMSTACK_INFERENCE_URL": f"http://{LOOPBACK}:{settings.inference_port}",
        "JWT_SECRET": secrets.token_hex(32),
    }
    ports = {
        "sensors": {settings.sensors_port: "ALARMSTACK_SENSORS_PORT"},
        "inference": {settings.inference_port: "ALARMSTACK_INFERENCE_PORT"},
        "gateway": {
            settings.gateway_port: "ALARMSTACK_GATEWAY_PORT",
            settings.page_port: "ALARMSTACK_PAGE_PORT",
        },
    }
    return [
        Service(
            name,
            [sys.executable, "-m", "alarmstack.cli", "serve", name],
            own_ports,
            f"http://{LOOPBACK}:{next(iter(own_ports))}/health",
            environment,
        )
        for name, own_ports in ports.items()
    ]


def run_services(settings: Settings, console: Console) -> None:
    """Run all services with a new login until Ctrl-C, and print where they are."""
    from alarmstack.cli.supervisor import supervise

    name, password = demo_login(settings)
    with console.status("starting sensor API, inference API, gateway") as status:

        def ready() -> None:
            status.stop()
            console.print(_addresses(settings, name, password), highlight=False)

        def say(line: str) -> None:
            console.print(line, markup=False)

        supervise(demo_services(settings), settings.data / "logs", ready, say, settings.log_bytes)


def _addresses(settings: Settings, name: str, password: str) -> str:
    return f"""
The plant is live.

  page           [bold]http://localhost:{settings.page_port}[/]
  name           [bold]{name}[/]
  password       [bold]{password}[/]

  sensor API     http://localhost:{settings.sensors_port}/docs
  gateway        http://localhost:{settings.gateway_port}/health
  inference API  http://localhost:{settings.inference_port}/docs
  logs           {settings.data / "logs"}/

On the page, start the scenario pressure_rise and watch the forecasts rise before
the limit is exceeded. Ctrl-C stops everything. `make run` resumes here.
"""


__all__ = ["check_demo", "commands", "demo_services", "run_services"]
