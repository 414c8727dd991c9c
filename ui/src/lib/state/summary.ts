import { numberAt, type IntervalSummary, type PlantAssessment } from '../api/types';

/** A whole assessment as charts draw it: what the server's overview holds of every interval but the newest. */
export function summaryOf({ interval, assessment, warnings }: PlantAssessment): IntervalSummary {
  const keys = Object.keys(interval).filter((key) => key !== 'timestamp' && key !== 'segment');
  return {
    timestamp: interval.timestamp ?? assessment.timestamp ?? '',
    values: Object.fromEntries(keys.map((key) => [key, numberAt(interval, key)])),
    scores: Object.fromEntries(assessment.models.map((one) => [one.column, one.score ?? null])),
    thresholds: Object.fromEntries(
      assessment.models.map((one) => [one.column, one.threshold ?? null]),
    ),
    in_alarm: assessment.in_alarm_now,
    rules: assessment.rules.filter((rule) => rule.met).map((rule) => rule.name),
    warnings,
  };
}

/** When an interval was known, its end: milliseconds. */
export function endOf(interval: IntervalSummary, cadenceSeconds: number): number {
  return Date.parse(interval.timestamp) + cadenceSeconds * 1000;
}
