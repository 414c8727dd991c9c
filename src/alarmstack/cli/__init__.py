"""The command line: one module for each group of commands.

`commands` reads data, trains and serves; `bench` runs the benchmarks; `users` manages accounts. `serve` and `supervisor` start
the services as processes and restart them. `options` checks values that several commands take. Nothing imports this package.
"""

from alarmstack.cli.commands import app, main

__all__ = ["app", "main"]
