"""`alarmstack user …`: accounts at the command line, for whoever runs the service; and the demo's own login.

Passwords are asked for or generated. They never stand on a command line, where a shell's history and a list of processes show them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from alarmstack.core.settings import Settings, load_settings

T = TypeVar("T")
users = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Accounts of the screen: add, role, reset, disable, delete, list, invite.",
)
console = Console()
Name = Annotated[str, typer.Argument(help="Name to log in with.")]
RoleName = Annotated[str, typer.Option(help="viewer, operator, engineer or admin.")]
Generate = Annotated[
    bool,
    typer.Option("--generate", help="Make a password and print it, instead of asking for one."),
]
Force = Annotated[bool, typer.Option("--force", help="Even where it is the last admin.")]
DEMO_NAME = "demo"


@users.command("add")
def add(name: Name, role: RoleName = "operator", generate: Generate = False) -> None:
    """Make an account.

    Example: alarmstack user add anna --role admin
    """
    from alarmstack.services.gateway import accounts

    password = _password(generate)
    _run(accounts.add, name, password, role)
    console.print(f"{name} is {role}")


@users.command("role")
def role(
    name: Name, role: Annotated[str, typer.Argument(help="viewer, operator, engineer or admin.")]
) -> None:
    """Give an account another role, from its next request on.

    Example: alarmstack user role anna engineer
    """
    from alarmstack.services.gateway import accounts

    _run(accounts.set_role, name, role)
    console.print(f"{name} is {role}")


@users.command("reset")
def reset(name: Name, generate: Generate = False) -> None:
    """Give an account another password and end all its logins.

    Example: alarmstack user reset anna --generate
    """
    from alarmstack.services.gateway import accounts

    _run(accounts.set_password, name, _password(generate))
    console.print(f"{name} has a new password and is logged out everywhere")


@users.command("disable")
def disable(name: Name, force: Force = False) -> None:
    """Let nobody log in to an account, and end all its logins and open screens. Its history stays.

    Example: alarmstack user disable anna
    """
    from alarmstack.services.gateway import accounts

    _run(partial(accounts.disable, force=force), name)
    console.print(f"{name} is disabled and logged out everywhere")


@users.command("enable")
def enable(name: Name) -> None:
    """Let a disabled account log in again.

    Example: alarmstack user enable anna
    """
    from alarmstack.services.gateway import accounts

    _run(accounts.enable, name)
    console.print(f"{name} can log in again")


@users.command("delete")
def delete(name: Name, force: Force = False) -> None:
    """Delete an account and its history for good. The journal keeps what it says of the account.

    Example: alarmstack user delete anna
    """
    from alarmstack.services.gateway import accounts

    _run(partial(accounts.delete, force=force), name)
    console.print(f"{name} is deleted; the journal keeps its lines")


@users.command("list")
def everyone() -> None:
    """Print all accounts.

    Example: alarmstack user list
    """
    from alarmstack.services.gateway import accounts

    table = Table("name", "role", "since", "disabled")
    for person in _run(accounts.everyone):
        disabled = "" if person.disabled_at is None else f"{person.disabled_at:%Y-%m-%d %H:%M} UTC"
        table.add_row(
            person.username, person.role, f"{person.created_at:%Y-%m-%d %H:%M} UTC", disabled
        )
    console.print(table)


@users.command("invite")
def invite(role: RoleName = "operator") -> None:
    """Print an invitation: whoever registers with it gets the role. It works once, for seven days.

    Example: alarmstack user invite --role viewer
    """
    from alarmstack.services.gateway import accounts

    console.print(_run(accounts.invite, role), soft_wrap=True, markup=False, highlight=False)


def demo_login(settings: Settings) -> tuple[str, str]:
    """Name and password of the demo's engineer, made or given a new password; the database is brought up to date before."""
    from alarmstack.services.gateway import accounts
    from alarmstack.services.gateway.credentials import new_password

    password = new_password()
    asyncio.run(accounts.ensure(settings, DEMO_NAME, password, "engineer"))
    return DEMO_NAME, password


def _password(generate: bool) -> str:
    from alarmstack.services.gateway.credentials import new_password

    if generate:
        made = new_password()
        console.print(f"password: {made}", markup=False, highlight=False)
        return made
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


def _run(work: Callable[..., Awaitable[T]], *told: str) -> T:
    """Do it in the database that the environment names."""

    async def done() -> T:
        return await work(load_settings(), *told)

    return asyncio.run(done())


__all__ = ["DEMO_NAME", "demo_login", "users"]
