"""Normal behaviour: deviations are detected with their tag, and budgets hold on new rows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from alarmstack.core.errors import PlantError
from alarmstack.core.intervals import IntervalBlock
from alarmstack.core.plant import Normality, Plant, Warnings
from alarmstack.models.normality import (
    HeldBack,
    NormalModel,
    TrainingSegment,
    learn_normal,
    threshold_for,
)
from alarmstack.models.normality.tail import Tail
from tests.models.normality.rigs import DAY, normal_block, rig

EXPERTS: dict[str, dict[str, object]] = {
    "level": {"kind": "level", "window": "60min", "scale": "600min"},
    "since the run began": {
        "kind": "level",
        "anchor": "30min",
        "jitter": "60min",
        "scale_quantile": 0.97,
    },
    "static": {"kind": "static", "evidence": "10min"},
    "dynamics": {"kind": "dynamics", "lags": 2, "whiten": True, "evidence": "10min"},
    "relations": {"kind": "relations", "lags": 1, "gather": "10min"},
    "trees": {"kind": "relations", "trees": True},
    "held": {"kind": "held", "window": "60min", "loudest": True},
}


def plant_with(*names: str, fusion: str = "mean") -> Plant:
    experts = [{"name": name} | EXPERTS[name] for name in names]
    return rig().model_copy(
        update={"normality": Normality.model_validate({"experts": experts, "fusion": fusion})}
    )


def all_normal(block: IntervalBlock) -> TrainingSegment:
    return TrainingSegment("rig", block, np.ones(len(block), bool), np.zeros(len(block), bool))


def with_values(block: IntervalBlock, tag: int, rows: slice, value: float) -> IntervalBlock:
    values = block.values.copy()
    values[rows, tag] = value
    return replace(block, values=values)


@pytest.mark.parametrize("name", EXPERTS)
def test_every_expert_detects_a_deviating_tag_and_names_it(name: str) -> None:
    model = learn_normal(plant_with(name), [all_normal(normal_block(3 * DAY, seed=1))])
    new = normal_block(DAY, seed=2)
    broken = with_values(new, 1, slice(700, 760), 25.0)
    assessed = model(broken)
    assert np.nanmax(assessed.score[705:760]) > np.nanquantile(model(new).score, 0.999)
    assert np.nanmean(assessed.shares[701:710], axis=0).argmax() == 1


@pytest.mark.parametrize("name", EXPERTS)
def test_later_rows_do_not_change_a_score(name: str) -> None:
    model = learn_normal(plant_with(name), [all_normal(normal_block(2 * DAY, seed=1))])
    whole = normal_block(900, seed=3)
    np.testing.assert_array_equal(model(whole.rows(0, 500)).score, model(whole).score[:500])


def test_with_loudest_only_the_largest_deviation_counts() -> None:
    """Two more deviating tags do not raise the score of a larger one; without `loudest` they do."""
    new = normal_block(DAY, seed=2)
    one = with_values(new, 1, slice(700, 702), 60.0)
    all_three = with_values(with_values(one, 0, slice(700, 702), 20.0), 2, slice(700, 702), 20.0)
    for loudest in (True, False):
        experts = [{"name": "static", "kind": "static", "loudest": loudest}]
        plant = rig().model_copy(
            update={"normality": Normality.model_validate({"experts": experts})}
        )
        model = learn_normal(plant, [all_normal(normal_block(2 * DAY, seed=1))])
        assert (model(all_three).score[700] > model(one).score[700] + 0.01) == (not loudest)


def test_a_frozen_or_missing_transmitter_is_not_a_process_fault() -> None:
    model = learn_normal(plant_with("level", "static"), [all_normal(normal_block(3 * DAY, seed=1))])
    new = normal_block(DAY, seed=2)
    high_normal = np.nanquantile(model(new).score, 0.999)
    missing = model(with_values(new, 0, slice(400, 900), np.nan)).score
    frozen = model(with_values(new, 0, slice(400, 1400), float(new.values[399, 0, 0]))).score
    assert np.nanmax(missing[400:900]) < high_normal + 1.0
    assert np.nanmax(frozen[500:1400]) < high_normal + 1.0


def test_a_run_is_compared_with_its_own_beginning() -> None:
    plant = plant_with("since the run began")
    model = learn_normal(plant, [all_normal(normal_block(3 * DAY, seed=1))])
    other = normal_block(600, seed=5)
    moved = replace(other, values=other.values + 40.0)
    assert np.nanmax(model(moved).score) == pytest.approx(np.nanmax(model(other).score), abs=1e-6)


def test_a_budget_of_alarms_per_day_holds_on_new_days_within_a_factor_of_two() -> None:
    plant = plant_with("static", "relations").model_copy(
        update={
            "warnings": Warnings.model_validate(
                {
                    "false_alarms_per_day": 2.0,
                    "on_delay": "0min",
                    "off_delay": "5min",
                    "minimum_on": "0min",
                    "hysteresis": 1.0,
                }
            )
        }
    )
    model = learn_normal(plant, [all_normal(normal_block(10 * DAY, seed=1))])
    threshold = threshold_for(plant, model.held_back)
    counted = _alarms_per_day(plant, threshold, model, days=20)
    assert 1.0 <= counted <= 4.0


def _alarms_per_day(plant: Plant, threshold: float, model: Any, days: int) -> float:
    from alarmstack.alarms import WarningRule, activations, warning_active

    block = normal_block(days * DAY, seed=9)
    on = warning_active(
        WarningRule.of(plant, threshold), model(block).score, 60.0, None, block.segment
    )
    return len(activations(on)) / days


def test_a_share_of_time_is_counted_with_enough_rows_and_extrapolated_with_few() -> None:
    plant = rig().model_copy(
        update={"warnings": rig().warnings.model_copy(update={"time_in_warning": 0.01})}
    )
    scores = np.random.default_rng(0).exponential(size=5000)
    segment = np.zeros(5000, np.int32)
    assert threshold_for(plant, [HeldBack(scores, segment)]) == pytest.approx(
        np.quantile(scores, 0.99)
    )
    few = HeldBack(scores[:400], segment[:400])
    assert threshold_for(plant, [few]) == pytest.approx(Tail.of(scores[:400]).level(0.01))
    assert threshold_for(plant, []) == float("inf")


def test_surprise_counts_powers_of_ten() -> None:
    values = np.random.default_rng(0).exponential(size=200_000)
    tail = Tail.of(values)
    assert tail.surprise(np.quantile(values, [0.9, 0.99, 0.999])) == pytest.approx(
        [1.0, 2.0, 3.0], abs=0.15
    )


def test_held_back_rows_are_not_learnt_from() -> None:
    """Trees fit their own rows closely: held-back scores must resemble those of new rows."""
    model = learn_normal(plant_with("trees"), [all_normal(normal_block(2 * DAY, seed=1))])
    held_back, new = model.held_back[0].scores, model(normal_block(2 * DAY, seed=4)).score
    assert np.nanquantile(held_back, 0.9) == pytest.approx(np.nanquantile(new, 0.9), abs=0.35)


def test_a_plant_without_experts_is_refused() -> None:
    with pytest.raises(PlantError, match="normality"):
        learn_normal(rig(), [all_normal(normal_block(DAY, seed=1))])


def test_a_stored_model_gives_the_same_scores() -> None:
    plant = plant_with(*EXPERTS)
    model = learn_normal(plant, [all_normal(normal_block(2 * DAY, seed=1))])
    new = normal_block(900, seed=3)
    again = NormalModel.load(plant, model.dump())(new)
    np.testing.assert_allclose(again.score, model(new).score, rtol=1e-12)
    np.testing.assert_allclose(again.shares, model(new).shares, rtol=1e-12)
