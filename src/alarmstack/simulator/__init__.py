"""The plant that is not there: dynamics, faults with known onsets, what a historian would write of it."""

from alarmstack.simulator.export import export
from alarmstack.simulator.simulation import SIMULATOR_VERSION, Simulation, simulate, simulate_fleet

__all__ = ["SIMULATOR_VERSION", "Simulation", "export", "simulate", "simulate_fleet"]
