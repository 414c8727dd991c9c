import { numberAt, type IntervalSummary, type PlantAssessment } from '../api/types';

/** The part of an assessment that charts draw, in the form of the server's overview. */
export function summaryOf({ interval, assessment, warnings }: PlantAssessment): IntervalSummary {
  const { models, rules } = assessment;
  const keys = Object.keys(interval).filter((key) => key !== 'timestamp' && key !== 'segment');
  return {
    timestamp: interval.timestamp ?? assessment.timestamp ?? '',
    values: Object.fromEntries(keys.map((key) => [key, numberAt(interval, key)])),
    scores: Object.fromEntries(models.map((output) => [output.column, output.score ?? null])),
    thresholds: Object.fromEntries(
      models.map((output) => [output.column, output.threshold ?? null]),
    ),
    in_alarm: assessment.in_alarm_now,
    rules: rules.filter((rule) => rule.met).map((rule) => rule.name),
    warnings,
  };
}

/** The end of an interval, in milliseconds: the time at which it is known. */
export function endOf(interval: IntervalSummary, cadenceSeconds: number): number {
  return Date.parse(interval.timestamp) + cadenceSeconds * 1000;
}
