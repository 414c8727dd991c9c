import { expect, test } from 'vitest';
import { PLANT, told } from './fixtures';
import { judge, leading } from './plant-state';
import { summaryOf } from './summary';

const NOON = '2026-06-01T12:00:00Z';
const sight = (...assessments: ReturnType<typeof told>[]) =>
  judge({
    plant: PLANT,
    latest: assessments.at(-1) ?? null,
    past: assessments.map(summaryOf),
    plantNow: Date.parse(NOON),
    blind: null,
  });

test('a shift: calm, a warning, an alarm, calm again', () => {
  const calm = told('2026-06-01T09:00:00Z');
  const warned = told('2026-06-01T10:00:00Z', {}, [3]);
  const met = { name: 'bursting', column: 'P1_max', value: 8.4, above: 8, unit: 'bar', met: true, low: false };
  const alarm = told('2026-06-01T11:00:00Z', { in_alarm_now: true, rules: [met] }, [1, 3]);
  expect(sight(calm)).toMatchObject({ kind: 'normal', priority: null, title: 'Normal' });
  expect(sight(calm, warned)).toMatchObject({
    kind: 'warning',
    priority: 2,
    title: 'Warning: alarm likely within 3 h',
    detail: 'Probability 72 %, warns from 40 %. Mainly: Pressure 7 bar',
  });
  expect(sight(calm, warned, alarm)).toMatchObject({
    kind: 'alarm',
    priority: 1,
    title: 'In alarm: Bursting',
    detail: 'P1_max 8.4 bar, limit 8 bar',
    since: Date.parse('2026-06-01T10:00:00Z'),
  });
  expect(sight(calm, warned, alarm, told(NOON)).kind).toBe('normal');
});

test('of several warnings the nearest is told', () => {
  expect(sight(told(NOON, {}, [3, 1])).title).toBe('Warning: alarm likely within 1 h');
});

test.each([
  ['nothing assessed yet', []],
  ['an old assessment', [told('2026-06-01T08:59:00Z')]],
])('with %s the state is not known', (_, assessments) => {
  expect(sight(...assessments).kind).toBe('unknown');
});

test('normal says which forecast is silent', () => {
  const quiet = told(NOON);
  quiet.assessment.models[0]!.score = null;
  expect(sight(quiet).detail).toBe('No limit is broken. No forecast for 3 h.');
});

test('the risk leads, the horizons follow in their order', () => {
  expect(leading(PLANT.models).map((one) => one.column)).toEqual(['risk_score', 'forecast_1h', 'forecast_3h']);
});
