"""`python -m alarmstack.cli` is the same as the command `alarmstack`."""

from alarmstack.cli.entry import main

main()
