"""Examples drawn as text, one letter per row: A in alarm, a dot quiet, | a new segment."""

import numpy as np

from alarmstack.core.plant import Plant
from alarmstack.features.examples import Examples
from alarmstack.features.matrix import feature_names


def drawn(plant: Plant, letters: str) -> Examples:
    cells = [c for c in letters if c != "|"]
    segment, part = [], 0
    for letter in letters:
        if letter == "|":
            part += 1
        else:
            segment.append(part)
    rows = len(cells)
    return Examples(
        plant=plant,
        start=np.datetime64("2024-01-01T00", "us") + np.arange(rows) * np.timedelta64(1, "h"),
        segment=np.array(segment, np.int32),
        point=np.zeros((rows, len(feature_names(plant, "point")))),
        window=np.zeros((rows, len(feature_names(plant, "window")))),
        alarm=np.array([c == "A" for c in cells]),
        regime=np.zeros(rows),
        next_deviation=np.zeros(rows),
    )


def scores(letters: str) -> np.ndarray:
    """Scores drawn as digits: 7 is 0.7, a dot is 0, a question mark is unknown."""
    return np.array(
        [{".": 0.0, "?": np.nan}.get(c, 0.0) if not c.isdigit() else int(c) / 10 for c in letters]
    )
