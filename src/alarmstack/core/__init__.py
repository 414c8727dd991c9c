"""What every other package uses: the plant description, settings, errors, intervals, clocks and supervised tasks.

In: plant.toml and the environment. Out: frozen values. It imports no other package of alarmstack.
"""
