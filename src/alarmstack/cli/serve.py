"""`alarmstack serve …`: the services one by one; and all of them at once, as the demo runs them."""

from __future__ import annotations

import os
import secrets
import sys
from functools import partial
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console

from alarmstack.cli.options import LARGEST_SEED
from alarmstack.cli.supervisor import Service, check_ports, supervise
from alarmstack.cli.users import demo_login
from alarmstack.core.folder import claimed
from alarmstack.core.plant import load_plant
from alarmstack.core.settings import Settings, load_settings

services = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Run a service: sensors, inference, gateway."
)
Port = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, help="Default: the service's own (ALARMSTACK_…_PORT).", show_default=False
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        help="Address to listen on; default: ALARMSTACK_HOST, else loopback.", show_default=False
    ),
]


@services.command()
def sensors(
    port: Port = None,
    host: Host = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, max=36_000, help="Plant seconds in a wall second; 1 is real time."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Same seed, same plant.")] = 11,
) -> None:
    """Play the simulated plant live: readings, closed intervals, scenarios.

    Example: alarmstack serve sensors --speed 3600
    """
    from alarmstack.services.runtime.hosts import Hosts
    from alarmstack.services.runtime.server import listen, run
    from alarmstack.services.sensors.app import create_app, start_player
    from alarmstack.storage.files import Store

    settings = _listening(host)
    socket = listen(settings.host, port or settings.sensors_port)
    with claimed(settings.data, "sensors"):
        player = start_player(
            load_plant(settings.plant),
            speed=speed or settings.speed,
            seed=seed,
            saved=settings.data / "live" / f"plant-{seed}.json",
            flush=Store.of(settings, settings.raw) if settings.flush_readings else None,
            unflushed=settings.unflushed_readings,
            keep_days=settings.keep_readings_days,
        )
        run(Hosts(create_app(player), settings.hosts), [socket])


@services.command()
def inference(port: Port = None, host: Host = None) -> None:
    """Let the promoted models answer; those of ALARMSTACK_MODELS_URL until the registry has spoken.

    Example: alarmstack serve inference --port 7502
    """
    from alarmstack.registry import Registry
    from alarmstack.services.inference import Shelf, create_app
    from alarmstack.services.inference.exported import fetch
    from alarmstack.services.runtime.hosts import Hosts
    from alarmstack.services.runtime.server import listen, run
    from alarmstack.storage.files import Store

    settings = _listening(host)
    socket = listen(settings.host, port or settings.inference_port)
    kept = settings.data / "serving"
    with claimed(settings.data, "inference"):
        store = Store.of(settings, settings.models) if settings.models_url else None
        shelf = Shelf(
            load_plant(settings.plant),
            Registry(settings.registry),
            kept,
            unpromoted=settings.serve_unpromoted,
            predictor=settings.model_name or "",
            supply=partial(fetch, store, kept) if store else None,
        )
        run(Hosts(create_app(shelf), settings.hosts), [socket])


@services.command()
def gateway(
    port: Port = None,
    host: Host = None,
    page_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the page; 0: on the API's port alone.",
            show_default=False,
        ),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="With a session secret and a login of this start, which is printed; other sessions end.",
        ),
    ] = False,
) -> None:
    """Serve users, history and the screen, and watch the plant (needs JWT_SECRET, but for --demo).

    Example: JWT_SECRET=$(openssl rand -hex 32) alarmstack serve gateway
    """
    from alarmstack.services.gateway import serve

    settings = _listening(host)
    if demo:
        settings = settings.model_copy(update={"jwt_secret": SecretStr(secrets.token_hex(32))})
        name, password = demo_login(settings)
        print(f"demo login of this start: name {name}, password {password}", flush=True)
    page = settings.page_port if page_port is None else page_port
    with claimed(settings.data, "gateway"):
        serve(settings, port or settings.gateway_port, page or None)


def _listening(host: str | None) -> Settings:
    """The settings of a service that listens on `host` where one is given."""
    settings = load_settings()
    return settings.model_copy(update={"host": host}) if host else settings


def demo_services(settings: Settings) -> list[Service]:
    """The services of the demo on loopback, with a session secret of this run alone."""
    local = "127.0.0.1"
    environment = {
        "ALARMSTACK_SERVE_UNPROMOTED": "true",
        "ALARMSTACK_SENSORS_URL": f"http://{local}:{settings.sensors_port}",
        "ALARMSTACK_INFERENCE_URL": f"http://{local}:{settings.inference_port}",
        "JWT_SECRET": secrets.token_hex(32),
    }

    def one(name: str, ports: dict[int, str]) -> Service:
        command = [sys.executable, "-m", "alarmstack.cli", "serve", name]
        return Service(
            name, command, ports, f"http://{local}:{next(iter(ports))}/health", environment
        )

    return [
        one("sensors", {settings.sensors_port: "ALARMSTACK_SENSORS_PORT"}),
        one("inference", {settings.inference_port: "ALARMSTACK_INFERENCE_PORT"}),
        one(
            "gateway",
            {
                settings.gateway_port: "ALARMSTACK_GATEWAY_PORT",
                settings.page_port: "ALARMSTACK_PAGE_PORT",
            },
        ),
    ]


def check_demo(settings: Settings) -> None:
    """Raise ServiceError where a port that the demo needs is taken."""
    check_ports(demo_services(settings))


@services.command("all")
def everything() -> None:
    """Run all services with a login of this run, as the demo does, until Ctrl-C.

    Example: alarmstack serve all
    """
    settings, console = load_settings(), Console()
    check_demo(settings)
    with claimed(settings.data, "demo"):
        _run_all(settings, console)
    console.print("stopped")


def _run_all(settings: Settings, console: Console) -> None:
    name, password = demo_login(settings)
    with console.status("starting sensor API, inference API, gateway") as status:

        def ready() -> None:
            status.stop()
            console.print(_where(settings, name, password), highlight=False)

        def say(line: str) -> None:
            console.print(line, markup=False)

        supervise(demo_services(settings), settings.data / "logs", ready, say, settings.log_bytes)


def _where(settings: Settings, name: str, password: str) -> str:
    return f"""
The plant is live.

  page           [bold]http://localhost:{settings.page_port}[/]
  name           [bold]{name}[/]
  password       [bold]{password}[/]

  sensor API     http://localhost:{settings.sensors_port}/docs
  gateway        http://localhost:{settings.gateway_port}/health
  inference API  http://localhost:{settings.inference_port}/docs
  logs           {settings.data / "logs"}/

On the page choose the scenario pressure_rise and watch the forecasts rise
before the limit is crossed. Ctrl-C stops everything; `make run` goes on from here.
"""


def show_demo() -> None:
    """Become `alarmstack serve all`: a fresh process, without the memory that training took."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "alarmstack.cli", "serve", "all"])


__all__ = ["check_demo", "demo_services", "services", "show_demo"]
