"""Early warnings for process plants: historian exports in, alarms that operators trust out.

The stages, in the order of the data: sources, preparation, features, training, registry, pipelines;
for live data: services.
"""

from importlib.metadata import version

__version__ = version("alarmstack")
__all__ = ["__version__"]
