import type { PlantAssessment, PlantModel, PlantState } from '../api/types';
import { duration } from './format';
import type { PlantTime } from './plant-time';
import { besideThreshold } from './wording';

/** What the card of a model shows. `mark` is the plant's state; a score over its threshold is only written. */
export type ModelFigure = {
  score: number | null;
  threshold: number | null;
  mark: 'alarm' | 'warning' | null;
  stated: string | null;
  note: string;
  missing: number;
};

type Sight = {
  model: PlantModel;
  latest: PlantAssessment | null;
  /** Null where it is unknown. */
  state: PlantState | null;
  /** Why there is no current figure; null while there is one. */
  without: string | null;
  time: PlantTime;
  plantNow: number | null;
};

export function modelFigure({ model, latest, state, without, time, plantNow }: Sight): ModelFigure {
  const said = latest?.assessment.models.find((one) => one.column === model.column);
  const end = latest?.assessment.known_at ?? null;
  const threshold = said?.threshold ?? null;
  const nothing = { score: null, threshold, mark: null, stated: null, missing: 0 };
  if (without) {
    const age = end && plantNow ? duration((plantNow - Date.parse(end)) / 1000) : null;
    return {
      ...nothing,
      note: age ? `No current figure. Last assessed ${age} ago` : 'No current figure',
    };
  }
  const alarm = state?.in_alarm ?? false;
  const forecaster = model.horizon_hours !== null;
  // Once in alarm nothing begins: a forecaster's figure is then no forecast.
  if (alarm && forecaster) return { ...nothing, note: 'In alarm now: no forecast' };
  const score = said?.score ?? null;
  const warned =
    state?.warnings.some((one) => one.column === model.column && one.standing) ?? false;
  const mark = forecaster ? (warned ? 'warning' : null) : alarm ? 'alarm' : null;
  const words = score === null || threshold === null ? '' : besideThreshold(score, threshold);
  return {
    score,
    threshold,
    mark,
    stated: mark && { alarm: 'In alarm', warning: 'Warning active' }[mark],
    note:
      score === null
        ? (said?.reason ?? 'No figure')
        : alarm && end
          ? `At ${time.clock(end)}: ${words}`
          : words,
    missing: score === null ? 0 : (said?.missing?.length ?? 0),
  };
}
