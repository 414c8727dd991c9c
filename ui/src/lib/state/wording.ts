/** The words that go with a figure, the same on every page. */
import type { PlantModel } from '../api/types';
import { percent } from './format';

/** From which probability an alarm is called likely, and very likely: as the server words it (src/alarmstack/alarms/wording.py). */
export const LIKELY = 0.66;
export const VERY_LIKELY = 0.9;

/** How sure a probability is, in words. */
export function likelihood(
  probability: number | null | undefined,
): 'possible' | 'likely' | 'very likely' {
  const sure = probability ?? 0;
  return sure >= VERY_LIKELY ? 'very likely' : sure >= LIKELY ? 'likely' : 'possible';
}

/** `Alarm possible within 3 h`, from the figure alone. */
export function foretold(within: string, probability: number | null | undefined): string {
  return `Alarm ${likelihood(probability)} within ${within}`;
}

/** The figure that belongs beside it: ` (9 %)`; nothing where there is none. */
export function beside(probability: number | null | undefined): string {
  return probability === null || probability === undefined ? '' : ` (${percent(probability)})`;
}

/** The horizon of a forecaster as its label says it, so that minutes stay minutes: `1 h`, `10 min`. */
export function withinOf(
  model: Pick<PlantModel, 'label' | 'horizon_hours'> | undefined,
  hours: number,
): string {
  return /within (.+)$/.exec(model?.label ?? '')?.[1] ?? `${model?.horizon_hours ?? hours} h`;
}

/** `Below threshold 8 %`; without breaks, so that the figure stays with its words. */
export function besideThreshold(score: number, threshold: number): string {
  const figure = percent(threshold).replace(' ', '\u00a0');
  return `${score >= threshold ? 'Over' : 'Below'} threshold\u00a0${figure}`;
}

const UNIT_SECONDS: Record<string, number> = { s: 1, min: 60, h: 3600, d: 86_400 };

/** A forecaster's horizon in seconds: as its label says it, else in whole hours; 0 for a model of now. */
export function horizonSeconds(model: Pick<PlantModel, 'label' | 'horizon_hours'>): number {
  if (model.horizon_hours === null) return 0;
  const [, count, unit] = /within ([\d.]+) (s|min|h|d)$/.exec(model.label) ?? [];
  return count && unit ? Number(count) * (UNIT_SECONDS[unit] ?? 0) : model.horizon_hours * 3600;
}

type Verdict = { score: number; alarm: boolean; within: string | null; inAlarm: boolean };

/** What a model's answer means, with its figure. `within` null: the risk now. */
export function verdictOf({ score, alarm, within, inAlarm }: Verdict): string {
  if (inAlarm) return 'In alarm at the last row: no forecast.';
  if (within)
    return alarm
      ? `${foretold(within, score)}${beside(score)}.`
      : `No warning within ${within}${beside(score)}.`;
  return `${alarm ? 'Model predicts alarm' : 'Model predicts no alarm'}${beside(score)}.`;
}

/** Below this share of its inputs a model's answer is to be distrusted. */
export const FEW_INPUTS = 0.5;

export function fewInputs(inputs: { given: number; of: number } | null | undefined): boolean {
  return !!inputs && inputs.given < FEW_INPUTS * inputs.of;
}
