"""The text of a feature on the screen, with the unit of its value."""

from __future__ import annotations

import re
from datetime import timedelta

from alarmstack.core.plant import Plant, spaced, write_duration
from alarmstack.features.matrix import source_of

MINUS = "\N{MINUS SIGN}"
TIMED = re.compile(
    r"roll(?P<time>\w+?)_(?P<last>mean|std)|(?P<what>mean|std|delta|effort)_(?P<span>\w+)"
)
"""Parts of feature names that contain a duration: `roll3h_mean`, `std_13h`, `delta_1h`."""
CLOCK = {"time_of_day_sin": "time of day", "time_of_day_cos": "time of day"}


def in_words(plant: Plant, feature: str) -> tuple[str, str]:
    """The text of a feature, and the unit of its value ("" if it has none)."""
    words, unit = _named(plant, feature)
    return words[:1].upper() + words[1:], unit


def _named(plant: Plant, feature: str) -> tuple[str, str]:
    if feature in CLOCK:
        return CLOCK[feature], ""
    key = source_of(plant, feature)
    if key is None:
        return _rule(plant, feature)
    part = feature.removeprefix(key).removeprefix("_")
    instrument = next((i for i in plant.instruments if i.key == key), None)
    name, unit = (instrument.title, instrument.unit) if instrument else (key.upper(), "%")
    if instrument is None:
        controlled = plant.instrument(f"{key}_pv")
        unit = "%" if part.startswith(("op", "effort")) else controlled.unit
    words = _part(plant, part)
    row = re.sub(r"^1 ", "", spaced(write_duration(plant.time.cadence)))
    return f"{name}, {words}" if words else name, f"{unit} per {row}" if part == "trend" else unit


def _part(plant: Plant, part: str) -> str:
    time = plant.time
    row, window, time_before = (
        spaced(write_duration(duration))
        for duration in (time.cadence, time.window, time.frequency_window)
    )
    texts = {
        "": "",
        "last": "",
        "max": f"highest within {row}",
        "min": f"lowest within {row}",
        "max_last": f"highest within {row}",
        "min_last": f"lowest within {row}",
        "spread": f"max {MINUS} min over {row}",
        "mean": f"mean of {window}",
        "std": f"standard deviation over {window}",
        "trend": f"trend over {window}",
        "shift": "last 3 rows against the window",
        "recent": f"last 3 rows against the {time_before} before",
        "half": f"half window against the {time_before} before",
        "level": f"window against the {time_before} before",
        "unrest": "movement from row to row",
        "spread_recent": f"recent max {MINUS} min over {row}",
        "spread_mean": f"mean of max {MINUS} min over {row}",
        "deviation": "deviation from setpoint",
        "deviation_max": "highest deviation from setpoint",
        "deviation_last": "deviation from setpoint",
        "op": "output",
        "sp": "setpoint",
        "op_last": "output",
        "sp_last": "setpoint",
        "op_shift": "output, change",
        "sp_shift": "setpoint, change",
    }
    if part in texts:
        return texts[part]
    if timed := TIMED.fullmatch(part):
        with_duration = {
            "mean": "mean of {}",
            "std": "standard deviation over {}",
            "delta": "change in {}",
            "effort": "movement of the output over {}",
        }
        text = with_duration[timed["what"] or timed["last"]]
        return text.format(spaced(timed["span"] or timed["time"]))
    return part.replace("_", " ")


def _rule(plant: Plant, feature: str) -> tuple[str, str]:
    for rule in plant.labels.rules:
        if feature.startswith(f"{rule.name}_"):
            part = feature.removeprefix(f"{rule.name}_")
            words = {
                "margin": "distance to the limit",
                "peak": "highest of the window",
                "hours_to_limit": "time to the limit",
            }
            unit = "h" if part == "hours_to_limit" else rule.unit
            return f"{rule.name.replace('_', ' ')}: {words.get(part, part.replace('_', ' '))}", unit
    if feature.startswith("failure_frequency_"):
        rows = int(feature.removeprefix("failure_frequency_"))
        cadence = plant.time.cadence
        counted = "hours" if cadence == timedelta(hours=1) else "rows"
        return f"{counted} over a limit, last {spaced(write_duration(rows * cadence))}", ""
    return feature.replace("_", " "), ""


__all__ = ["in_words"]
