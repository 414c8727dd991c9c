import { expect, test } from 'vitest';
import type { PlantView } from '../api/types';
import { inAlarm, limitAlarm, PLANT, stateOf, STATUS, told } from './fixtures';
import { assessmentGap, headline, leading, limitOf, limitText, type Sight } from './plant-state';
import { PlantTime } from './plant-time';

const NOON = '2026-06-01T12:00:00Z';
const sight = (more: Partial<Sight> = {}): Sight => ({
  plant: PLANT,
  time: new PlantTime('Europe/Berlin'),
  state: stateOf(),
  status: STATUS,
  latest: told(NOON),
  plantNow: Date.parse(NOON),
  blind: null,
  ...more,
});

test('a shift: calm, a warning, an alarm, calm again', () => {
  expect(headline(sight())).toMatchObject({
    kind: 'normal',
    priority: null,
    title: 'Normal',
    detail: 'No limit exceeded. No active warning.',
  });
  expect(headline(sight({ state: stateOf({}, [3]) }))).toMatchObject({
    kind: 'warning',
    priority: 2,
    title: 'Alarm likely within 3 h',
    beside: ' (72 %)',
    detail: 'No limit exceeded. Warning threshold 40 %. Main driver: Pressure 7 bar',
    since: Date.parse(NOON),
  });
  expect(headline(sight({ state: inAlarm() }))).toMatchObject({
    kind: 'alarm',
    priority: 1,
    title: 'In alarm: P1 above 8 bar',
    detail: 'P1: 8.40 bar, limit 8 bar',
    since: Date.parse('2026-06-01T11:40:00Z'),
  });
});

test('the state decides, whatever the closed interval says of itself', () => {
  const met = {
    name: 'bursting',
    column: 'P1_max',
    value: 8.4,
    above: 8,
    unit: 'bar',
    met: true,
    low: false,
  };
  const past = told(NOON, { in_alarm_now: true, rules: [met] });
  expect(headline(sight({ latest: past })).kind).toBe('normal');
  expect(headline(sight({ state: inAlarm() })).kind).toBe('alarm');
});

test('an alarm that lasts through its off-delay says since when its value is back', () => {
  const state = inAlarm({ value: 7, returning_since: '2026-06-01T11:50:00Z' });
  expect(headline(sight({ state })).detail).toBe(
    'P1: 7.00 bar, limit 8 bar (back within the limit since 13:50)',
  );
});

test('a limit on what is derived does not pass for the reading of its instrument', () => {
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
  const { detail } = headline(sight({ state: stateOf({ pending: [limitAlarm()] }) }));
  expect(detail).toBe('P1 above 8 bar since 13:40, on-delay running. No active warning.');
});

test('a limit that cannot be evaluated is named with its reason', () => {
  const gap = { rule: 'bursting', key: 'p1', title: 'P1 above 8 bar', reason: 'P1 is stale' };
  expect(headline(sight({ state: stateOf({ not_evaluated: [gap] }) })).detail).toContain(
    'Not evaluated: P1 above 8 bar (P1 is stale).',
  );
});

test('of several warnings the one with the shortest horizon is shown', () => {
  expect(headline(sight({ state: stateOf({}, [3, 1]) })).title).toBe('Alarm possible within 1 h');
});

test('a warning is worded and figured by the server where it does so', () => {
  const warned = { ...stateOf({}, [3]).warnings[1]!, score: 0.09, threshold: 0.08 };
  const worded = { ...warned, text: 'Alarm possible within 3 h (9 %)' };
  for (const one of [warned, worded])
    expect(headline(sight({ state: stateOf({ warnings: [one] }) }))).toMatchObject({
      title: 'Alarm possible within 3 h',
      beside: ' (9 %)',
      detail: expect.stringContaining('Warning threshold 8 %.'),
    });
});

test.each([
  ['no reading', { state: null }, 'No reading has been received yet.'],
  [
    'a lost connection',
    { blind: 'The connection to the server is lost.' },
    'The connection to the server is lost.',
  ],
] as const)('with %s the state is unknown', (_, more, detail) => {
  expect(headline(sight(more))).toMatchObject({ kind: 'unknown', title: 'State unknown', detail });
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
  ['late, without a known cause', later(3), [], null],
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
  expect(assessmentGap(sight({ plantNow, status: { ...STATUS, down: [...down] } }))).toBe(gap);
});

test('a status that is older than the newest assessment does not claim a gap', () => {
  const newest = told(new Date(later(24)).toISOString());
  expect(assessmentGap(sight({ plantNow: later(24), latest: newest }))).toBe(null);
  expect(headline(sight({ plantNow: later(24), latest: newest })).kind).toBe('normal');
});

test('without assessments the headline says so, and still what the limits say', () => {
  const down = { plantNow: later(2), status: { ...STATUS, down: [DOWN] } };
  expect(headline(sight(down))).toMatchObject({
    kind: 'unknown',
    title: 'No current forecast',
    detail: 'No limit exceeded. No assessment since 14:00: database is locked',
  });
  expect(headline(sight({ ...down, state: inAlarm() })).kind).toBe('alarm');
});

test('normal says which forecast is missing', () => {
  const quiet = told(NOON);
  quiet.assessment.models[0]!.score = null;
  expect(headline(sight({ latest: quiet })).detail).toBe(
    'No limit exceeded. No active warning. No forecast for 3 h.',
  );
});

test('a plant without forecasters, and one whose horizons are minutes, have a headline too', () => {
  const without: PlantView = { ...PLANT, models: [], horizons_hours: [] };
  expect(headline(sight({ plant: without, state: stateOf({ warnings: [] }) })).kind).toBe('normal');
  const minutes = {
    ...PLANT.models[1]!,
    column: 'forecast_10min',
    label: 'Alarm within 10 min',
    horizon_hours: 0,
  };
  const warned = {
    column: 'forecast_10min',
    horizon_hours: 0,
    standing: true,
    since: NOON,
    score: 0.2,
  };
  const quick = sight({
    plant: { ...PLANT, models: [minutes] },
    state: stateOf({ warnings: [warned] }),
  });
  expect(headline(quick).title).toBe('Alarm possible within 10 min');
});

test('the active limit of an instrument, and its words where the value is missing', () => {
  expect(limitOf(inAlarm(), 'p1')?.rule).toBe('bursting');
  expect(limitOf(inAlarm(), 'l1')).toBeUndefined();
  expect(limitText(PLANT, limitAlarm({ value: null }))).toBe('P1: no current value, limit 8 bar');
});

test('an alarm whose value is inside the deadband says where it clears', () => {
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

test('the risk leads, the horizons follow in their order', () => {
  expect(leading(PLANT.models).map((one) => one.column)).toEqual([
    'risk_score',
    'forecast_1h',
    'forecast_3h',
  ]);
});
