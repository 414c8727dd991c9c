"""The command line: one module for each group of commands.

In: arguments. Out: text on the terminal and, with `--json`, a file. `entry` assembles the commands
and turns errors into one line and an exit status. `data`, `simulate`, `train`, `score`, `bench`,
`users` and `serve` hold the commands; `demo` and `supervisor` start the services as processes and
restart them; `options` and `output` hold what several commands share. No other package imports this
one.
"""

from alarmstack.cli.entry import app, main

__all__ = ["app", "main"]
