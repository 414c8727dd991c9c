"""The child process of `guarded`: reads one drop within limits."""

from alarmstack.sources.guarded import main

main()
