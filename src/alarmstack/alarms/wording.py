"""Probabilities as text. A word always has the number next to it."""

from __future__ import annotations

from datetime import timedelta

from alarmstack.core.plant import spaced, write_duration

LIKELY, VERY_LIKELY = 0.66, 0.90
"""Probabilities from which an alarm is called likely, or very likely.

Source: the likelihood scale of the IPCC (AR6, box 1.1).
"""
SMALLEST_SHOWN = 0.01
"""Smaller probabilities are shown as "< 1 %"."""


def likelihood(probability: float) -> str:
    """The word for a probability above its threshold.

    >>> [likelihood(p) for p in (0.09, 0.7, 0.95)]
    ['possible', 'likely', 'very likely']
    """
    if probability >= VERY_LIKELY:
        return "very likely"
    return "likely" if probability >= LIKELY else "possible"


def percent(probability: float) -> str:
    """A probability in whole per cent.

    >>> percent(0.314), percent(0.002)
    ('31 %', '< 1 %')
    """
    return "< 1 %" if 0 < probability < SMALLEST_SHOWN else f"{probability:.0%}".replace("%", " %")


def forecast_text(probability: float, horizon: timedelta) -> str:
    """The text of a forecast above its threshold.

    >>> forecast_text(0.09, timedelta(hours=3))
    'Alarm possible within 3 h (9 %)'
    """
    within = spaced(write_duration(horizon))
    return f"Alarm {likelihood(probability)} within {within} ({percent(probability)})"


def forecast_verdict(
    probability: float, threshold: float | None, horizon: timedelta, in_alarm: bool
) -> str:
    """The text of any forecast, with its probability."""
    within = spaced(write_duration(horizon))
    if in_alarm:
        return "In alarm now: no forecast"
    if threshold is None:
        return f"Alarm within {within}: {percent(probability)}; the model has no threshold"
    if probability >= threshold:
        return forecast_text(probability, horizon)
    return (
        f"No warning within {within}: {percent(probability)} is below the threshold "
        f"{percent(threshold)}"
    )


__all__ = ["LIKELY", "VERY_LIKELY", "forecast_text", "forecast_verdict", "likelihood", "percent"]
