"""Early warnings for process plants: historian exports in, alarms that operators trust out.

The stages, in the order data takes: sources, quality, clean, derived, labels, features, etl, training, registry, alarms.
"""

from importlib.metadata import version

__version__ = version("alarmstack")
__all__ = ["__version__"]
