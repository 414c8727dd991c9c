"""Normal behaviour: what deviates is found and named, what is only missing or frozen is not, and budgets hold on new rows."""

from dataclasses import replace

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


def lesson(block: IntervalBlock) -> TrainingSegment:
    return TrainingSegment("rig", block, np.ones(len(block), bool), np.zeros(len(block), bool))


def with_values(block: IntervalBlock, tag: int, rows: slice, value: float) -> IntervalBlock:
    values = block.values.copy()
    values[rows, tag] = value
    return replace(block, values=values)


@pytest.mark.parametrize("name", EXPERTS)
def test_every_expert_finds_a_tag_that_leaves_the_others_and_names_it(name: str) -> None:
    model = learn_normal(plant_with(name), [lesson(normal_block(3 * DAY, seed=1))])
    new = normal_block(DAY, seed=2)
    broken = with_values(new, 1, slice(700, 760), 25.0)
    said = model(broken)
    assert np.nanmax(said.score[705:760]) > np.nanquantile(model(new).score, 0.999)
    assert np.nanmean(said.shares[701:710], axis=0).argmax() == 1


@pytest.mark.parametrize("name", EXPERTS)
def test_nothing_after_a_row_changes_what_is_said_of_it(name: str) -> None:
    model = learn_normal(plant_with(name), [lesson(normal_block(2 * DAY, seed=1))])
    whole = normal_block(900, seed=3)
    np.testing.assert_array_equal(model(whole.rows(0, 500)).score, model(whole).score[:500])


def test_the_loudest_tag_alone_counts_where_a_fault_shows_in_one() -> None:
    """Two more tags that leave add nothing to one that is louder; without `loudest` they do."""
    new = normal_block(DAY, seed=2)
    one = with_values(new, 1, slice(700, 702), 60.0)
    all_three = with_values(with_values(one, 0, slice(700, 702), 20.0), 2, slice(700, 702), 20.0)
    for loudest in (True, False):
        experts = [{"name": "usual", "kind": "static", "loudest": loudest}]
        plant = rig().model_copy(
            update={"normality": Normality.model_validate({"experts": experts})}
        )
        model = learn_normal(plant, [lesson(normal_block(2 * DAY, seed=1))])
        assert (model(all_three).score[700] > model(one).score[700] + 0.01) == (not loudest)


def test_a_frozen_and_a_missing_transmitter_are_no_process_fault() -> None:
    model = learn_normal(plant_with("level", "static"), [lesson(normal_block(3 * DAY, seed=1))])
    new = normal_block(DAY, seed=2)
    usual = np.nanquantile(model(new).score, 0.999)
    missing = model(with_values(new, 0, slice(400, 900), np.nan)).score
    frozen = model(with_values(new, 0, slice(400, 1400), float(new.values[399, 0, 0]))).score
    assert np.nanmax(missing[400:900]) < usual + 1.0
    assert np.nanmax(frozen[500:1400]) < usual + 1.0


def test_a_new_run_begins_afresh() -> None:
    plant = plant_with("since the run began")
    model = learn_normal(plant, [lesson(normal_block(3 * DAY, seed=1))])
    other = normal_block(600, seed=5)
    moved = replace(other, values=other.values + 40.0)
    assert np.nanmax(model(moved).score) == pytest.approx(np.nanmax(model(other).score), abs=1e-6)


def test_a_budget_in_alarms_a_day_holds_on_unseen_normal_days_within_a_factor_of_two() -> None:
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
    model = learn_normal(plant, [lesson(normal_block(10 * DAY, seed=1))])
    threshold = threshold_for(plant, model.held_back)
    counted = _alarms_per_day(plant, threshold, model, days=20)
    assert 1.0 <= counted <= 4.0


def _alarms_per_day(plant: Plant, threshold: float, model, days: int) -> float:
    from alarmstack.alarms import WarningRule, activations, warning_active

    block = normal_block(days * DAY, seed=9)
    on = warning_active(WarningRule.of(plant, threshold), model(block).score, 60.0, None, block.segment)
    return len(activations(on)) / days


def test_a_share_of_time_is_counted_where_there_are_rows_and_extrapolated_where_there_are_not() -> (
    None
):
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


def test_rows_that_were_held_back_were_not_learnt_from() -> None:
    """An expert that remembers would find its own rows unremarkable: held-back scores look like those of new rows."""
    model = learn_normal(plant_with("trees"), [lesson(normal_block(2 * DAY, seed=1))])
    held_back, new = model.held_back[0].scores, model(normal_block(2 * DAY, seed=4)).score
    assert np.nanquantile(held_back, 0.9) == pytest.approx(np.nanquantile(new, 0.9), abs=0.35)


def test_a_plant_without_experts_is_told_so() -> None:
    with pytest.raises(PlantError, match="normality"):
        learn_normal(rig(), [lesson(normal_block(DAY, seed=1))])


def test_a_model_that_was_written_down_says_the_same() -> None:
    plant = plant_with(*EXPERTS)
    model, new = (
        learn_normal(plant, [lesson(normal_block(2 * DAY, seed=1))]),
        normal_block(900, seed=3),
    )
    again = NormalModel.load(plant, model.dump())(new)
    np.testing.assert_allclose(again.score, model(new).score, rtol=1e-12)
    np.testing.assert_allclose(again.shares, model(new).shares, rtol=1e-12)
