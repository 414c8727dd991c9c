import type { PlantAssessment, PlantModel, PlantState } from '../api/types';
import { duration } from './format';
import { horizonOf } from './horizon';
import type { PlantTime } from './plant-time';
import { thresholdText } from './wording';

/**
 * What the card of a model shows. `mark` is the state of the plant: a score over its threshold is
 * only stated in `note`.
 */
export type ModelScore = {
  score: number | null;
  threshold: number | null;
  mark: 'alarm' | 'warning' | null;
  markText: string | null;
  note: string;
  missingInputs: number;
};

const MARK_TEXTS: Record<'alarm' | 'warning', string> = {
  alarm: 'In alarm',
  warning: 'Warning active',
};

type Context = {
  model: PlantModel;
  latest: PlantAssessment | null;
  /** Null where it is unknown. */
  state: PlantState | null;
  /** Why there is no current score; null while there is one. */
  noScoreReason: string | null;
  time: PlantTime;
  plantNow: number | null;
};

export function modelScore(context: Context): ModelScore {
  const { model, latest, state, noScoreReason, time, plantNow } = context;
  const output = latest?.assessment.models.find(({ column }) => column === model.column);
  const assessedAt = latest?.assessment.known_at ?? null;
  const threshold = output?.threshold ?? null;
  const empty = { score: null, threshold, mark: null, markText: null, missingInputs: 0 };
  if (noScoreReason) {
    const age = assessedAt && plantNow ? (plantNow - Date.parse(assessedAt)) / 1000 : null;
    const lastAssessed = age === null ? '' : `. Last assessed ${duration(age)} ago`;
    return { ...empty, note: `No current score${lastAssessed}` };
  }
  const inAlarm = state?.in_alarm ?? false;
  const isForecast = horizonOf(model) !== null;
  // Forecasts predict the beginning of an alarm: during an alarm they have no meaning.
  if (inAlarm && isForecast) return { ...empty, note: 'In alarm now: no forecast' };
  const mark: ModelScore['mark'] = isForecast
    ? warningMark(state, model)
    : inAlarm
      ? 'alarm'
      : null;
  const marked = { ...empty, mark, markText: mark && MARK_TEXTS[mark] };
  const score = output?.score ?? null;
  if (score === null) return { ...marked, note: output?.reason ?? 'No score' };
  const comparison = threshold === null ? '' : thresholdText(model, score, threshold);
  const note = inAlarm && assessedAt ? `At ${time.clock(assessedAt)}: ${comparison}` : comparison;
  return { ...marked, score, note, missingInputs: output?.missing?.length ?? 0 };
}

function warningMark(state: PlantState | null, { column }: PlantModel): 'warning' | null {
  const warnings = state?.warnings ?? [];
  return warnings.some((warning) => warning.column === column && warning.standing)
    ? 'warning'
    : null;
}
