"""`alarmstack serve …`: the services one by one; and all of them at once, as the demo runs them."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer
from rich.console import Console

from alarmstack.people import demo_login
from alarmstack.plant import load_plant
from alarmstack.settings import Settings, load_settings
from alarmstack.supervisor import Service, check_ports, supervise

SENSORS, GATEWAY, INFERENCE, PAGE = 7500, 7501, 7502, 5173
services = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Run a service: sensors, inference, gateway.")
Port = Annotated[int, typer.Option(min=1, max=65535)]
Host = Annotated[
    str | None, typer.Option(help="Address to listen on; default: ALARMSTACK_HOST, else loopback.", show_default=False)
]


@services.command()
def sensors(
    port: Port = SENSORS,
    host: Host = None,
    speed: Annotated[float | None, typer.Option(min=0.001, help="Plant seconds in a wall second; 1 is real time.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same plant.")] = 11,
) -> None:
    """Play the simulated plant live: readings, closed intervals, scenarios.

    Example: alarmstack serve sensors --speed 3600
    """
    from alarmstack.sensors.app import create_app, start_player
    from alarmstack.service import listen, run
    from alarmstack.storage import Store

    settings = load_settings()
    socket = listen(host or settings.host, port)
    player = start_player(
        load_plant(settings.plant),
        speed=speed or settings.speed,
        seed=seed,
        saved=settings.data / "live" / f"plant-{seed}.json",
        flush=Store(settings.store) if settings.flush_readings else None,
    )
    run(create_app(player), [socket])


@services.command()
def inference(port: Port = INFERENCE, host: Host = None) -> None:
    """Let the promoted models answer.

    Example: alarmstack serve inference --port 7502
    """
    from alarmstack.inference import Shelf, create_app
    from alarmstack.registry import Registry
    from alarmstack.service import listen, run

    settings = load_settings()
    socket = listen(host or settings.host, port)
    shelf = Shelf(load_plant(settings.plant), Registry(settings.registry), settings.data / "serving", settings.serve_unpromoted)
    run(create_app(shelf), [socket])


@services.command()
def gateway(
    port: Port = GATEWAY,
    host: Host = None,
    page_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page; 0: the page is on the API's port alone.")
    ] = PAGE,
) -> None:
    """Serve users, history and the screen, and watch the plant (needs JWT_SECRET).

    Example: JWT_SECRET=$(openssl rand -hex 32) alarmstack serve gateway
    """
    from alarmstack.gateway import serve

    settings = load_settings()
    serve(settings, port, page_port or None, host or settings.host)


def demo_services(settings: Settings) -> list[Service]:
    """The services of the demo, on their usual ports, with a session secret of this run alone."""
    local = "127.0.0.1"
    environment = {
        "ALARMSTACK_DATA_DIR": str(settings.data),
        "ALARMSTACK_PLANT": str(settings.plant),
        "ALARMSTACK_SERVE_UNPROMOTED": "true",
        "ALARMSTACK_SENSORS_URL": f"http://{local}:{SENSORS}",
        "ALARMSTACK_INFERENCE_URL": f"http://{local}:{INFERENCE}",
        "JWT_SECRET": secrets.token_hex(32),
    }

    def one(name: str, port: int, *more: int) -> Service:
        command = [sys.executable, "-m", "alarmstack.cli", "serve", name]
        return Service(name, command, [port, *more], f"http://{local}:{port}/health", environment)

    return [one("sensors", SENSORS), one("inference", INFERENCE), one("gateway", GATEWAY, PAGE)]


def check_demo(settings: Settings) -> None:
    """Raise ServiceError where a port that the demo needs is taken."""
    check_ports(demo_services(settings))


def show_demo(settings: Settings, console: Console) -> None:
    """Run all services until Ctrl-C; once they are healthy, say where they are and how to log in."""
    name, password = demo_login(settings)

    def ready() -> None:
        console.print(
            f"\n[bold]The plant is live:[/] http://localhost:{PAGE}    log in as [bold]{name}[/], password [bold]{password}[/]\n\n"
            f"  sensor API     http://localhost:{SENSORS}/docs\n"
            f"  gateway        http://localhost:{GATEWAY}/health\n"
            f"  inference API  http://localhost:{INFERENCE}/docs\n"
            f"  logs           {settings.data / 'logs'}/\n\n"
            "On the page, choose the scenario pressure_rise and watch the forecasts rise before the limit is crossed.\n"
            "Ctrl-C stops everything; the next `make run` goes on from here.\n"
        )

    with console.status("starting sensor API, inference API, gateway") as status:

        def started() -> None:
            status.stop()
            ready()

        supervise(demo_services(settings), settings.data / "logs", started, lambda line: console.print(line, markup=False))
    console.print("stopped")


__all__ = ["GATEWAY", "INFERENCE", "PAGE", "SENSORS", "check_demo", "demo_services", "services", "show_demo"]
