import { expect, test } from 'vitest';
import type { PlantView } from '../api/types';
import {
  assessmentAt,
  limitAlarm,
  MINUTES_PLANT,
  NO_HORIZONS_PLANT,
  PLANT,
  stateInAlarm,
  stateWith,
  STATUS,
  UNLABELLED_PLANT,
  warningsOf,
} from './fixtures';
import {
  assessmentGap,
  headline,
  limitAlarmOf,
  limitText,
  mainModels,
  noForecastReason,
  noPredictionReason,
  type Context,
} from './plant-state';
import { PlantTime } from './plant-time';

const NOON = '2026-06-01T12:00:00Z';
const context = (changes: Partial<Context> = {}): Context => ({
  plant: PLANT,
  time: new PlantTime('Europe/Berlin'),
  state: stateWith(),
  status: STATUS,
  latest: assessmentAt(NOON),
  plantNow: Date.parse(NOON),
  notLiveReason: null,
  ...changes,
});

test('a shift: normal, a warning, an alarm', () => {
  expect(headline(context())).toMatchObject({
    kind: 'normal',
    priority: null,
    title: 'Normal',
    detail: 'No limit exceeded. No active warning.',
  });
  expect(headline(context({ state: stateWith({}, ['3h']) }))).toMatchObject({
    kind: 'warning',
    priority: 2,
    title: 'Alarm likely within 3 h',
    probability: ' (72 %)',
    detail: 'No limit exceeded. Warning threshold 40 %. Main driver: Pressure 7 bar',
    since: Date.parse(NOON),
  });
  expect(headline(context({ state: stateInAlarm() }))).toMatchObject({
    kind: 'alarm',
    priority: 1,
    title: 'In alarm: P1 above 8 bar',
    detail: 'P1: 8.40 bar, limit 8 bar',
    since: Date.parse('2026-06-01T11:40:00Z'),
  });
});

test('the state of the plant decides, not the closed interval', () => {
  const met = {
    name: 'bursting',
    column: 'P1_max',
    value: 8.4,
    above: 8,
    unit: 'bar',
    met: true,
    low: false,
  };
  const past = assessmentAt(NOON, { in_alarm_now: true, rules: [met] });
  expect(headline(context({ latest: past })).kind).toBe('normal');
  expect(headline(context({ state: stateInAlarm() })).kind).toBe('alarm');
});

test('an alarm in its off-delay states since when its value is back', () => {
  const state = stateInAlarm({ value: 7, returning_since: '2026-06-01T11:50:00Z' });
  expect(headline(context({ state })).detail).toBe(
    'P1: 7.00 bar, limit 8 bar (back within the limit since 13:50)',
  );
});

test('a limit on a derived value names that value, not the reading of its instrument', () => {
  const swing = limitAlarm({ title: 'P1 standard deviation over 3 h above 8 bar', value: 15 });
  expect(limitText(PLANT, swing)).toContain('P1 standard deviation over 3 h: 15');
  const off = limitAlarm({
    tag: 'LIC1_PV',
    title: 'LIC1 more than 10 % from its setpoint',
    value: 12,
    unit: '%',
  });
  expect(limitText(PLANT, off)).toContain('LIC1_PV deviation from setpoint: 12');
});

test('a limit in its on-delay is not called "not exceeded"', () => {
  const { detail } = headline(context({ state: stateWith({ pending: [limitAlarm()] }) }));
  expect(detail).toBe('P1 above 8 bar since 13:40, on-delay running. No active warning.');
});

test('a limit that cannot be evaluated is named with its reason', () => {
  const gap = { rule: 'bursting', key: 'p1', title: 'P1 above 8 bar', reason: 'P1 is stale' };
  expect(headline(context({ state: stateWith({ not_evaluated: [gap] }) })).detail).toContain(
    'Not evaluated: P1 above 8 bar (P1 is stale).',
  );
});

test('of several warnings the one with the shortest horizon is shown', () => {
  expect(headline(context({ state: stateWith({}, ['3h', '1h']) })).title).toBe(
    'Alarm possible within 1 h',
  );
});

test('the text and the score of a warning are those of the server where it has them', () => {
  const scored = { ...warningsOf(PLANT, ['3h'])[0]!, score: 0.09, threshold: 0.08 };
  const worded = { ...scored, text: 'Alarm possible within 3 h (9 %)' };
  for (const warning of [scored, worded])
    expect(headline(context({ state: stateWith({ warnings: [warning] }) }))).toMatchObject({
      title: 'Alarm possible within 3 h',
      probability: ' (9 %)',
      detail: expect.stringContaining('Warning threshold 8 %.'),
    });
});

test.each([
  ['no reading', { state: null }, 'No reading has been received yet.'],
  [
    'a lost connection',
    { notLiveReason: 'The connection to the server is lost.' },
    'The connection to the server is lost.',
  ],
] as const)('with %s the state is unknown', (_, changes, detail) => {
  expect(headline(context(changes))).toMatchObject({
    kind: 'unknown',
    title: 'State unknown',
    detail,
  });
});

const DOWN = {
  name: 'assessments',
  state: 'failed',
  reason: 'database is locked',
  since: NOON,
  restarts: 2,
} as const;
const later = (hours: number) => Date.parse(NOON) + hours * 3_600_000;

test.each([
  ['just assessed', later(1), [], null],
  ['late, without a known reason', later(3), [], null],
  ['too old', later(3.01), [], 'No assessment since 14:00.'],
  ['assessed before the task failed', later(1), [DOWN], null],
  [
    'late, and its task is down',
    later(1.01),
    [DOWN],
    'No assessment since 14:00: database is locked',
  ],
  [
    'too old since yesterday',
    later(24),
    [DOWN],
    'No assessment since 06-01 14:00: database is locked',
  ],
] as const)('an assessment that is %s', (_, plantNow, down, gap) => {
  expect(assessmentGap(context({ plantNow, status: { ...STATUS, down: [...down] } }))).toBe(gap);
});

test('a status that is older than the newest assessment does not claim a gap', () => {
  const newest = assessmentAt(new Date(later(24)).toISOString());
  expect(assessmentGap(context({ plantNow: later(24), latest: newest }))).toBe(null);
  expect(headline(context({ plantNow: later(24), latest: newest })).kind).toBe('normal');
});

test('without assessments the headline states that, and the limits', () => {
  const down = { plantNow: later(2), status: { ...STATUS, down: [DOWN] } };
  expect(headline(context(down))).toMatchObject({
    kind: 'unknown',
    title: 'No current forecast',
    detail: 'No limit exceeded. No assessment since 14:00: database is locked',
  });
  expect(headline(context({ ...down, state: stateInAlarm() })).kind).toBe('alarm');
});

test('the headline names a missing forecast', () => {
  const incomplete = assessmentAt(NOON);
  incomplete.assessment.models[0]!.score = null;
  expect(headline(context({ latest: incomplete })).detail).toBe(
    'No limit exceeded. No active warning. No forecast for 3 h.',
  );
});

test('the headline of a plant without forecasts states that there are none', () => {
  for (const plant of [NO_HORIZONS_PLANT, UNLABELLED_PLANT]) {
    const state = stateWith({ warnings: [] });
    expect(headline(context({ plant, state }))).toMatchObject({
      kind: 'normal',
      detail: 'No limit exceeded. This plant has no forecast model.',
    });
    expect(headline(context({ plant, state, plantNow: later(5) })).title).toBe(
      'No current assessment',
    );
  }
});

test('of warnings within minutes, the one with the shortest horizon is shown', () => {
  const warnings = warningsOf(MINUTES_PLANT, ['30min', '20min']).toReversed();
  const quick = context({ plant: MINUTES_PLANT, state: stateWith({ warnings }) });
  expect(headline(quick).title).toBe('Alarm possible within 20 min');
});

test.each([
  ['a plant with forecasts', PLANT, null, null],
  [
    'a plant without horizons',
    NO_HORIZONS_PLANT,
    'This plant has no forecast model: its description has no horizons.',
    null,
  ],
  [
    'a plant without labels',
    UNLABELLED_PLANT,
    'This plant has no forecast model: it has no labelled alarms.',
    'This plant has no risk model: it has no labelled alarms.',
  ],
  [
    'a plant without input fields',
    { ...PLANT, predict_fields: [] },
    null,
    'This plant has no input fields: its description lists none for this page.',
  ],
] as const)('%s states why it has no forecast or prediction', (_, plant, forecast, prediction) => {
  expect(noForecastReason(plant as PlantView)).toBe(forecast);
  expect(noPredictionReason(plant as PlantView)).toBe(prediction);
});

test('the active limit of an instrument, and its text where the value is missing', () => {
  expect(limitAlarmOf(stateInAlarm(), 'p1')?.rule).toBe('bursting');
  expect(limitAlarmOf(stateInAlarm(), 'l1')).toBeUndefined();
  expect(limitText(PLANT, limitAlarm({ value: null }))).toBe('P1: no current value, limit 8 bar');
});

test('an alarm with a deadband states the value at which it clears', () => {
  const rule = {
    rule: 'bursting',
    key: 'p1',
    tag: 'P1',
    title: 'P1 above 8 bar',
    column: 'P1_max',
    limit: 8,
    unit: 'bar',
  };
  const delays = { absolute: false, on_delay_seconds: 0, off_delay_seconds: 7200 };
  const limited = (low: boolean) => ({
    ...PLANT,
    limits: [{ ...rule, ...delays, low, deadband: 0.2 }],
  });
  expect(limitText(limited(false), limitAlarm({ value: 7.9 }))).toBe(
    'P1: 7.90 bar, limit 8 bar, clears at 7.8 bar',
  );
  expect(limitText(limited(true), limitAlarm({ value: 8.1 }))).toBe(
    'P1: 8.10 bar, limit 8 bar, clears at 8.2 bar',
  );
});

test('the risk comes first, then the forecasts, shortest horizon first', () => {
  const columns = (plant: PlantView) => mainModels(plant.models).map((model) => model.column);
  expect(columns(PLANT)).toEqual(['risk_score', 'forecast_1h', 'forecast_3h']);
  expect(columns(MINUTES_PLANT).slice(1)).toEqual([
    'forecast_10min',
    'forecast_20min',
    'forecast_30min',
  ]);
  expect(columns(UNLABELLED_PLANT)).toEqual(['normality']);
});
