"""The command `alarmstack`: all commands, and the exit status and message of each kind of error."""

from __future__ import annotations

import os
import sys
import traceback
from tempfile import NamedTemporaryFile
from typing import Any

import typer

from alarmstack import __version__
from alarmstack.cli import bench, data, demo, score, serve, simulate, train, users
from alarmstack.cli.output import console
from alarmstack.core.errors import AlarmstackError, GateRefused, SourceError
from alarmstack.core.tasks import reason_of

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Early warnings for process plants.",
)
for group in (simulate, data, train, score, demo):
    app.add_typer(group.commands)
app.add_typer(users.users, name="user")
app.add_typer(serve.services, name="serve")
app.add_typer(bench.benches, name="bench")

_UsageError: type[Exception] = typer.BadParameter.__mro__[2]
"""Base class of all errors about the command line's arguments; Typer exports no name for it."""
FAILED, WRONG_USAGE, STOPPED = 1, 2, 130
BAD_DATA = 3
"""Exit status if the data are at fault: the same command would fail again."""


@app.command()
def version() -> None:
    """Print the version.

    Example: alarmstack version
    """
    console.print(__version__)


def main() -> None:
    """Run the command line: an error becomes one line on standard error and an exit status.

    Files that a command or a service writes are readable by its user only: databases, logs, models,
    exports.
    """
    os.umask(0o077)
    try:
        status = app(standalone_mode=False)
        if status == STOPPED:
            raise KeyboardInterrupt
        sys.exit(status)
    except _UsageError as error:
        _print_usage_error(error)
        sys.exit(WRONG_USAGE)
    except (KeyboardInterrupt, typer.Abort):
        _print_error("Stopped. The next run resumes here.")
        sys.exit(STOPPED)
    except AlarmstackError as error:
        print(f"alarmstack: {error}", file=sys.stderr)
        sys.exit(BAD_DATA if isinstance(error, (GateRefused, SourceError)) else FAILED)
    except BrokenPipeError:
        # The reader of the output has closed it. Even the flush at exit would fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        _print_error(_unexpected(error))
        sys.exit(FAILED)


def _print_usage_error(error: Any) -> None:
    """Print one line; or the whole help, if the command was called without arguments."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    command = error.ctx.command_path if error.ctx else "alarmstack"
    _print_error(f"{error.format_message()} (see {command} --help)")


def _print_error(reason: str) -> None:
    print(f"alarmstack: {' '.join(reason.split())}", file=sys.stderr)


def _unexpected(error: Exception) -> str:
    """The reason of an error that is not ours; if it is unknown, where its traceback is."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError) and cause.strerror:
        return reason_of(error)
    if type(cause).__module__.startswith(("sqlite3", "psycopg", "sqlalchemy")):
        return f"the database cannot be used: {reason_of(error)}"
    if isinstance(error, MemoryError):
        return "not enough memory"
    with NamedTemporaryFile("w", prefix="alarmstack-error-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    reason = f"{type(error).__name__}: {reason_of(error)}"
    return f"unexpected error: {reason}; the traceback is in {file.name}"


__all__ = ["app", "main"]
