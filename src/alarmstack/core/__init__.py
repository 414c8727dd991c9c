"""What all other packages use: plant, settings, errors, units, intervals, files, clocks, tasks.

In: plant.toml and the environment. Out: frozen values. It imports no other package of alarmstack.
"""
