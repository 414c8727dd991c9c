"""`python -m alarmstack.cli`: the same as the command `alarmstack`."""

from alarmstack.cli.commands import main

main()
