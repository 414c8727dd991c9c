/** Texts for model outputs, the same on every page. */
import type { Inputs, PlantModel } from '../api/types';
import { numberText, percent } from './format';

/**
 * The probabilities from which an alarm is called likely and very likely. The server uses the same
 * in its messages (src/alarmstack/alarms/wording.py).
 */
export const LIKELY = 0.66;
export const VERY_LIKELY = 0.9;

/** A result based on a smaller share of its inputs is marked as uncertain. */
export const FEW_INPUTS = 0.5;

export function likelihood(
  probability: number | null | undefined,
): 'possible' | 'likely' | 'very likely' {
  const value = probability ?? 0;
  if (value >= VERY_LIKELY) return 'very likely';
  return value >= LIKELY ? 'likely' : 'possible';
}

/** `Alarm possible within 3 h`. */
export function forecastText(within: string, probability: number | null | undefined): string {
  return `Alarm ${likelihood(probability)} within ${within}`;
}

/** ` (9 %)`, to follow a text; empty where there is no probability. */
export function inBrackets(probability: number | null | undefined): string {
  return probability === null || probability === undefined ? '' : ` (${percent(probability)})`;
}

/** A score in the form that suits its model: a probability in per cent, any other as a number. */
export function scoreText(
  { kind }: Pick<PlantModel, 'kind'>,
  score: number | null | undefined,
): string {
  return kind === 'probability' ? percent(score) : numberText(score);
}

/** `Below threshold 8 %`, with spaces that do not break before the threshold. */
export function thresholdText(
  model: Pick<PlantModel, 'kind'>,
  score: number,
  threshold: number,
): string {
  const limit = scoreText(model, threshold).replaceAll(' ', '\u00a0');
  return `${score >= threshold ? 'Over' : 'Below'} threshold\u00a0${limit}`;
}

type Result = { score: number; alarm: boolean; within: string | null; inAlarm: boolean };

/** What a result means, with its score. `within` is null where the result is about the present. */
export function resultText({ score, alarm, within, inAlarm }: Result): string {
  if (inAlarm) return 'In alarm at the last row: no forecast.';
  const probability = inBrackets(score);
  if (within && alarm) return `${forecastText(within, score)}${probability}.`;
  if (within) return `No warning within ${within}${probability}.`;
  return `${alarm ? 'Model predicts alarm' : 'Model predicts no alarm'}${probability}.`;
}

export function hasFewInputs(inputs: Pick<Inputs, 'given' | 'of'> | null | undefined): boolean {
  return !!inputs && inputs.given < FEW_INPUTS * inputs.of;
}
