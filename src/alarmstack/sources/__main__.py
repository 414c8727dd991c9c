"""The child process of `guarded`, which reads one drop within limits."""

from alarmstack.sources.guarded import main

main()
