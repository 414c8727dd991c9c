"""Texts of features: every feature of a model has a text for the screen and a unit."""

import re
from datetime import timedelta

import pytest

from alarmstack.alarms.wording import forecast_verdict
from alarmstack.core.plant import Plant
from alarmstack.features.matrix import GROUPS, feature_names
from alarmstack.features.wording import in_words


@pytest.mark.parametrize(
    ("feature", "words", "unit"),
    [
        ("pdt31008", "Column D304 differential pressure", "mbar"),
        (
            "pdt31008_std_13h",
            "Column D304 differential pressure, standard deviation over 13 h",
            "mbar",
        ),
        ("lt301031_roll3h_mean", "Reboiler level, mean of 3 h", "%"),
        ("te301020_trend", "Amine temperature, trend over 12 h", "°C per h"),
        ("pdt31008_max", "Column D304 differential pressure, highest within 1 h", "mbar"),
        ("te301020_delta_3h", "Amine temperature, change in 3 h", "°C"),
        ("fic31011_op_shift", "FIC31011, output, change", "%"),
        ("fic31011_deviation", "FIC31011, deviation from setpoint", "m³/h"),
        ("flooding_hours_to_limit", "Flooding: time to the limit", "h"),
        ("failure_frequency_48", "Hours over a limit, last 48 h", ""),
        ("time_of_day_sin", "Time of day", ""),
    ],
)
def test_texts_and_units_of_features(plant: Plant, feature: str, words: str, unit: str) -> None:
    assert in_words(plant, feature) == (words, unit)


def test_every_feature_has_a_text(plant: Plant) -> None:
    for group in GROUPS:
        for feature in feature_names(plant, group):
            words, _ = in_words(plant, feature)
            assert not re.search(r"roll|std|delta|\dh|_(?!PV)", words), (feature, words)


@pytest.mark.parametrize(
    ("probability", "threshold", "in_alarm", "text"),
    [
        (0.09, 0.08, False, "Alarm possible within 3 h (9 %)"),
        (0.65, 0.08, False, "Alarm possible within 3 h (65 %)"),
        (0.66, 0.08, False, "Alarm likely within 3 h (66 %)"),
        (0.90, 0.08, False, "Alarm very likely within 3 h (90 %)"),
        (0.04, 0.08, False, "No warning within 3 h: 4 % is below the threshold 8 %"),
        (0.004, 0.08, False, "No warning within 3 h: < 1 % is below the threshold 8 %"),
        (0.5, None, False, "Alarm within 3 h: 50 %; the model has no threshold"),
        (0.9, 0.08, True, "In alarm now: no forecast"),
    ],
)
def test_the_word_of_a_forecast_matches_its_probability(
    probability: float, threshold: float | None, in_alarm: bool, text: str
) -> None:
    assert forecast_verdict(probability, threshold, timedelta(hours=3), in_alarm) == text
