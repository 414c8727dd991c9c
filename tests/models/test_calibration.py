"""Both ways of calibrating: monotone, honest on scores whose truth is known, and not thrown by few events."""

import numpy as np
import pytest

from alarmstack.models import Calibration
from alarmstack.models.calibration import Form

FORMS: tuple[Form, ...] = ("isotonic", "smooth")


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw scores, labels, and the probability that made each label: twice as sure as it should be."""
    random = np.random.default_rng(seed)
    truth = random.beta(0.5, 6.0, count)
    odds = 2 * np.log(truth / (1 - truth))
    return 1 / (1 + np.exp(-odds)), (random.random(count) < truth).astype(float), truth


@pytest.mark.parametrize("form", FORMS)
def test_probabilities_never_fall_as_scores_rise(form: Form) -> None:
    raw, label, _ = rows(2000, 1)
    said = Calibration.fit(raw, label, form)(np.linspace(0, 1, 500))
    assert (np.diff(said) >= 0).all() and said[0] > 0 and said[-1] < 1


@pytest.mark.parametrize("form", FORMS)
def test_scores_that_were_too_sure_become_honest(form: Form) -> None:
    raw, label, _ = rows(20_000, 2)
    fresh, _, truth = rows(5000, 3)
    said = Calibration.fit(raw, label, form)(fresh)
    assert abs(said - truth).mean() < 0.02 < abs(fresh - truth).mean()


def test_of_few_events_the_smooth_one_makes_less() -> None:
    fresh, _, truth = rows(5000, 4)
    wrong = {form: [] for form in FORMS}
    for seed in range(20):
        raw, label, _ = rows(300, 10 + seed)
        for form in FORMS:
            wrong[form].append(abs(Calibration.fit(raw, label, form)(fresh) - truth).mean())
    assert np.mean(wrong["smooth"]) < np.mean(wrong["isotonic"])


def test_one_alarm_is_enough_to_draw_a_line() -> None:
    said = Calibration.fit(np.array([0.1, 0.2, 0.9]), np.array([0.0, 0.0, 1.0]), "smooth")(
        np.array([0.1, 0.9])
    )
    assert said[0] < said[1]
