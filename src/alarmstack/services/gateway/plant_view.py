"""plant.toml for the screen: titles, units, ranges, limits and form presets.

The page itself contains no tag.
"""

from __future__ import annotations

from alarmstack.alarms.limits import deadband, limit_title, off_delay
from alarmstack.core.model_list import CHAMPION, ModelEntry, model_list
from alarmstack.core.plant import (
    Controller,
    Instrument,
    Limit,
    Plant,
    duration_in_hours,
    write_duration,
)
from alarmstack.preparation.derived import instrument_of
from alarmstack.services.schemas.gateway import (
    ForecastPreset,
    LimitLine,
    PlantLimit,
    PlantModel,
    PlantTag,
    PlantUnit,
    PlantView,
    PredictField,
    PredictPreset,
)
from alarmstack.services.schemas.observations import preset_rows


def plant_view(plant: Plant, *, simulated: bool) -> PlantView:
    """Everything that the screen needs from plant.toml."""
    time, models = plant.time, model_list(plant)
    horizons = [entry.horizon for entry in models if entry.horizon is not None]
    return PlantView(
        name=plant.name,
        title=plant.title,
        timezone=plant.timezone,
        simulated=simulated,
        cadence_seconds=time.cadence.total_seconds(),
        window_rows=plant.rows(time.window),
        longest_useful_lead_seconds=time.longest_useful_lead.total_seconds(),
        horizons=[write_duration(horizon) for horizon in horizons],
        horizons_hours=[duration_in_hours(horizon) for horizon in horizons],
        units=[PlantUnit(key=unit.key, title=unit.title) for unit in plant.units],
        tags=[_tag(plant, instrument) for instrument in plant.modelled],
        limits=[_limit(plant, rule) for rule in plant.labels.rules],
        models=[_model(entry) for entry in models],
        predict_fields=_predict_fields(plant),
        predict_presets=[
            PredictPreset(name=one.name, title=one.title, features=dict(one.features))
            for one in plant.screen.predict_presets
        ],
        forecast_presets=[
            ForecastPreset(name=one.name, title=one.title, rows=preset_rows(plant, one.name))
            for one in plant.screen.forecast_presets
        ],
    )


def _model(entry: ModelEntry) -> PlantModel:
    return PlantModel(
        name=entry.name,
        column=entry.column,
        label=entry.label,
        title=entry.title,
        kind=entry.kind,
        horizon=entry.horizon_text,
        horizon_hours=entry.horizon_hours,
        unit=entry.unit,
    )


def _predict_fields(plant: Plant) -> list[PredictField]:
    """The inputs of the predict form: those of plant.toml, else every instrument over its range.

    Empty if the plant has no model that predicts from them.
    """
    if not any(entry.column == CHAMPION for entry in model_list(plant)):
        return []
    if plant.screen.predict_fields:
        return [PredictField(**field.model_dump()) for field in plant.screen.predict_fields]
    return [
        PredictField(
            feature=instrument.key,
            title=instrument.title,
            unit=instrument.unit,
            low=instrument.range[0],
            high=instrument.range[1],
        )
        for instrument in plant.modelled
    ]


def limits_of(plant: Plant, instrument: Instrument) -> list[LimitLine]:
    """The limit rules on an instrument's own value, as lines of its trend.

    Rules on derived values have no line.
    """
    own = {instrument.tag, f"{instrument.tag}_max", f"{instrument.tag}_min"}
    return [
        line
        for rule in plant.labels.rules
        if rule.column in own
        for line in _lines(instrument, rule)
    ]


def controller_of(plant: Plant, instrument: Instrument) -> Controller | None:
    """The controller that has this instrument as its process value."""
    return next((one for one in plant.controllers if one.pv == instrument.tag), None)


def _lines(instrument: Instrument, rule: Limit) -> list[LimitLine]:
    values = [rule.limit, -rule.limit] if rule.absolute else [rule.limit]
    return [LimitLine(key=instrument.key, value=value, title=rule.name) for value in values]


def _limit(plant: Plant, rule: Limit) -> PlantLimit:
    instrument = instrument_of(plant, rule.column)
    return PlantLimit(
        rule=rule.name,
        key=instrument.key,
        tag=instrument.tag,
        title=limit_title(plant, rule),
        column=rule.column,
        limit=rule.limit,
        unit=rule.unit,
        low=rule.low,
        absolute=rule.absolute,
        deadband=deadband(plant, rule),
        on_delay_seconds=rule.on_delay.total_seconds(),
        off_delay_seconds=off_delay(plant, rule).total_seconds(),
    )


def _tag(plant: Plant, instrument: Instrument) -> PlantTag:
    controller = controller_of(plant, instrument)
    return PlantTag(
        key=instrument.key,
        tag=instrument.tag,
        title=instrument.title,
        unit=instrument.unit,
        process_unit=instrument.process_unit,
        range=instrument.range,
        normal=instrument.normal,
        limits=limits_of(plant, instrument),
        stale_after_seconds=instrument.stale_after.total_seconds(),
        setpoint=controller.sp.lower() if controller else None,
        output=controller.op.lower() if controller else None,
    )


__all__ = ["controller_of", "limits_of", "plant_view"]
