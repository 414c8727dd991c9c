"""Both forms of calibration: monotone, accurate on known probabilities, robust to few events."""

import numpy as np
import pytest

from alarmstack.models import Calibration
from alarmstack.models.calibration import Form

FORMS: tuple[Form, ...] = ("isotonic", "smooth")


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overconfident raw scores, labels, and the true probability of each label."""
    random = np.random.default_rng(seed)
    truth = random.beta(0.5, 6.0, count)
    odds = 2 * np.log(truth / (1 - truth))
    return 1 / (1 + np.exp(-odds)), (random.random(count) < truth).astype(float), truth


@pytest.mark.parametrize("form", FORMS)
def test_probabilities_increase_with_scores(form: Form) -> None:
    raw, label, _ = rows(2000, 1)
    calibrated = Calibration.fit(raw, label, form)(np.linspace(0, 1, 500))
    assert (np.diff(calibrated) >= 0).all() and calibrated[0] > 0 and calibrated[-1] < 1


@pytest.mark.parametrize("form", FORMS)
def test_overconfident_scores_are_corrected(form: Form) -> None:
    raw, label, _ = rows(20_000, 2)
    fresh, _, truth = rows(5000, 3)
    calibrated = Calibration.fit(raw, label, form)(fresh)
    assert abs(calibrated - truth).mean() < 0.02 < abs(fresh - truth).mean()


def test_with_few_events_the_smooth_form_is_more_accurate() -> None:
    fresh, _, truth = rows(5000, 4)
    errors: dict[str, list[float]] = {form: [] for form in FORMS}
    for seed in range(20):
        raw, label, _ = rows(300, 10 + seed)
        for form in FORMS:
            errors[form].append(abs(Calibration.fit(raw, label, form)(fresh) - truth).mean())
    assert np.mean(errors["smooth"]) < np.mean(errors["isotonic"])


def test_one_alarm_is_enough_for_the_smooth_form() -> None:
    calibrated = Calibration.fit(np.array([0.1, 0.2, 0.9]), np.array([0.0, 0.0, 1.0]), "smooth")(
        np.array([0.1, 0.9])
    )
    assert calibrated[0] < calibrated[1]
