"""Plots of plants without forecasters, labels or controllers state why nothing is plotted."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alarmstack.reports import plots
from alarmstack.reports.plots.models import NO_BINS, NO_FEATURES
from alarmstack.reports.plots.style import NO_FORECASTER
from alarmstack.training import walk_forward
from alarmstack.training.walk_forward import walk, walk_rows
from tests.heater import odd_history
from tests.reports.test_signals import words

WITHOUT_FORECASTER = ("no horizons", "no labels", "no labels and no normality")
NO_PERIODS = pl.DataFrame(
    schema={"start": pl.Datetime, "end": pl.Datetime, "description": pl.String}
)


@pytest.mark.parametrize("name", WITHOUT_FORECASTER)
def test_a_validation_without_forecasters_is_plotted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The models of the present are not plotted here, and take long to train.
    monkeypatch.setattr(walk_forward, "recipes", lambda plant: ())
    heater, _, rows = odd_history(name, tmp_path)
    validation = walk(heater, rows)
    table = walk_rows("heater", validation)
    assert len(validation.folds) == 5 and validation.models == ()
    for figure in (
        plots.onsets_plot(validation),
        plots.leads_plot(validation),
        plots.horizons_plot(validation, table),
        plots.thresholds_plot({}, rows, "no rows"),
    ):
        assert NO_FORECASTER in words(figure)
    for figure in (
        plots.folds_plot(validation),
        plots.curves_plot(validation),
        plots.sweep_plot(validation),
    ):
        assert words(figure)
    assert plots.events_table(table).height == plots.rows_table(validation, table).height == 0
    assert set(plots.folds_table(validation)["model"]) == {one.name for one in validation.baselines}


def test_without_bundles_nothing_is_plotted() -> None:
    assert NO_FEATURES in words(plots.importance_plot({}))
    assert NO_BINS in words(plots.reliability_plot([], "heater", "later rows"))


def test_a_plant_without_controllers_is_plotted(tmp_path: Path) -> None:
    heater, block, _ = odd_history("no labels", tmp_path)
    alarm = np.zeros(len(block), bool)
    assert "no controller" in words(plots.controllers_plot(heater, block, alarm, NO_PERIODS))
    volatility = plots.volatility_plot(heater, block, alarm, NO_PERIODS)
    assert "derived.short_statistics" in words(volatility)
