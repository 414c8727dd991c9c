"""A simulated plant: dynamics, faults with known onsets, and the files of its historian.

In: the plant and its simulation.toml. Out: readings, an operator log, and the truth about all
events. The package imports `core` and `preparation`.
"""

from alarmstack.simulator.export import export
from alarmstack.simulator.simulation import SIMULATOR_VERSION, Simulation, simulate, simulate_fleet

__all__ = ["SIMULATOR_VERSION", "Simulation", "export", "simulate", "simulate_fleet"]
