"""VUS-PR equals the values of the package that the leaderboard uses."""

import numpy as np
import pytest

from alarmstack.evaluation.vus import spans, vus_pr

# metricor().RangeAUC_volume_opt(labels, scores, 57, 250) of the package vus 0.0.6, by seed.
REFERENCE = {
    0: 0.5598094891723122,
    1: 0.6948000111041689,
    2: 0.7310006208013697,
    3: 0.7099307453707131,
}


def _series(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.zeros(3000)
    for _ in range(6 + seed * 3):
        first = random.integers(0, 2940)
        labels[first : first + random.integers(1, 60)] = 1
    return labels.astype(bool), np.round(random.random(3000) + labels * 0.5, 2)


@pytest.mark.parametrize("seed", REFERENCE)
def test_it_equals_the_reference_package(seed: int) -> None:
    labels, scores = _series(seed)
    assert vus_pr(labels, scores) == pytest.approx(REFERENCE[seed], abs=1e-9)


def test_only_the_order_of_scores_matters() -> None:
    labels, scores = _series(1)
    assert vus_pr(labels, np.exp(3 * scores)) == vus_pr(labels, scores)


def test_an_event_at_either_end_is_a_span() -> None:
    assert spans(np.array([1, 1, 0, 1], bool)) == [(0, 1), (3, 3)]
    assert spans(np.zeros(3, bool)) == []
