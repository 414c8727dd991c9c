"""`alarmstack serve`: run one service, or all of them together."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Annotated

import typer
from pydantic import SecretStr

from alarmstack.cli.demo import check_demo, run_services
from alarmstack.cli.options import LARGEST_SEED
from alarmstack.cli.output import console
from alarmstack.cli.users import demo_login
from alarmstack.core.folder import claimed
from alarmstack.core.plant import load_plant
from alarmstack.core.settings import Settings, load_settings

services = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Run one service, or all of them.",
)
Port = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        help="Default: the port in the settings (ALARMSTACK_…_PORT).",
        show_default=False,
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        help="Address to listen on; default: ALARMSTACK_HOST, or loopback.", show_default=False
    ),
]


@services.command()
def sensors(
    port: Port = None,
    host: Host = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, max=36_000, help="Plant seconds per wall second; 1 is real time."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same plant.")
    ] = 11,
) -> None:
    """Run the simulated plant live.

    Serves its readings, closed intervals and scenarios.

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
    """Serve the promoted models.

    Until the registry answers, the models of ALARMSTACK_MODELS_URL are served.

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
            help="Port of the page; 0: only on the API's port.",
            show_default=False,
        ),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Create a session secret and a login, and print the login. Other sessions end.",
        ),
    ] = False,
) -> None:
    """Serve the screen and monitor the plant.

    The gateway also manages users and their history. JWT_SECRET is required, except with --demo.

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
    """The settings of a service; `host` overrides the address that they name."""
    settings = load_settings()
    return settings.model_copy(update={"host": host}) if host else settings


@services.command("all")
def everything() -> None:
    """Run all services until Ctrl-C.

    Prints a login for this run, as the demo does.

    Example: alarmstack serve all
    """
    settings = load_settings()
    check_demo(settings)
    with claimed(settings.data, "demo"):
        run_services(settings, console)
    console.print("stopped")


__all__ = ["services"]
