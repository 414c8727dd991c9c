"""`alarmstack user`: manage the accounts of the screen; and the login of the demo.

A password is typed at a prompt or generated. It is never an argument, which the history of the
shell and the list of processes would show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from alarmstack.cli.output import console
from alarmstack.core.settings import Settings, load_settings

T = TypeVar("T")
users = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Manage the accounts of the screen.",
)
Name = Annotated[str, typer.Argument(help="User name.")]
RoleName = Annotated[str, typer.Option(help="viewer, operator, engineer or admin.")]
Generate = Annotated[
    bool,
    typer.Option("--generate", help="Generate a password and print it instead of asking for one."),
]
Force = Annotated[bool, typer.Option("--force", help="Also if this is the last admin.")]
DEMO_NAME = "demo"


@users.command("add")
def add(name: Name, role: RoleName = "operator", generate: Generate = False) -> None:
    """Create an account.

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
    """Change the role of an account.

    The new role applies from the next request.

    Example: alarmstack user role anna engineer
    """
    from alarmstack.services.gateway import accounts

    _run(accounts.set_role, name, role)
    console.print(f"{name} is {role}")


@users.command("reset")
def reset(name: Name, generate: Generate = False) -> None:
    """Set a new password and end all logins of an account.

    Example: alarmstack user reset anna --generate
    """
    from alarmstack.services.gateway import accounts

    _run(accounts.set_password, name, _password(generate))
    console.print(f"{name} has a new password and is logged out everywhere")


@users.command("disable")
def disable(name: Name, force: Force = False) -> None:
    """Disable an account.

    All its logins and open screens end. Its history is kept.

    Example: alarmstack user disable anna
    """
    from alarmstack.services.gateway import accounts

    _run(partial(accounts.disable, force=force), name)
    console.print(f"{name} is disabled and logged out everywhere")


@users.command("enable")
def enable(name: Name) -> None:
    """Enable a disabled account.

    Example: alarmstack user enable anna
    """
    from alarmstack.services.gateway import accounts

    _run(accounts.enable, name)
    console.print(f"{name} can log in again")


@users.command("delete")
def delete(name: Name, force: Force = False) -> None:
    """Delete an account and its history permanently.

    Its journal entries are kept.

    Example: alarmstack user delete anna
    """
    from alarmstack.services.gateway import accounts

    _run(partial(accounts.delete, force=force), name)
    console.print(f"{name} is deleted; its journal entries are kept")


@users.command("list")
def list_accounts() -> None:
    """List all accounts.

    Example: alarmstack user list
    """
    from alarmstack.services.gateway import accounts

    table = Table("name", "role", "since", "disabled")
    for account in _run(accounts.everyone):
        disabled = _minute(account.disabled_at) if account.disabled_at else ""
        table.add_row(account.username, account.role, _minute(account.created_at), disabled)
    console.print(table)


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


@users.command("invite")
def invite(role: RoleName = "operator") -> None:
    """Print an invitation code.

    An account that is registered with it gets the role. The code can be used once, within seven
    days.

    Example: alarmstack user invite --role viewer
    """
    from alarmstack.services.gateway import accounts

    console.print(_run(accounts.invite, role), soft_wrap=True, markup=False, highlight=False)


def demo_login(settings: Settings) -> tuple[str, str]:
    """Set a new password for the account of the demo, an engineer; return its name and password.

    The account and the tables of the database are created if they are missing.
    """
    from alarmstack.services.gateway import accounts
    from alarmstack.services.gateway.credentials import new_password

    password = new_password()
    asyncio.run(accounts.ensure(settings, DEMO_NAME, password, "engineer"))
    return DEMO_NAME, password


def _password(generate: bool) -> str:
    from alarmstack.services.gateway.credentials import new_password

    if generate:
        generated = new_password()
        console.print(f"password: {generated}", markup=False, highlight=False)
        return generated
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


def _run(work: Callable[..., Awaitable[T]], *arguments: str) -> T:
    """Run a function on the database of the settings."""

    async def run() -> T:
        return await work(load_settings(), *arguments)

    return asyncio.run(run())


__all__ = ["DEMO_NAME", "demo_login", "users"]
