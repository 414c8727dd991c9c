import { expect, test } from 'vitest';
import { forecastHorizons, horizonOf, horizonSeconds, horizonText } from './horizon';

test('a body about the present has no horizon', () => {
  expect(horizonOf({ horizon: '10min' })).toBe('10min');
  expect(horizonOf({ horizon: null })).toBeNull();
});

test.each([
  ['30s', 30, '30 s'],
  ['10min', 600, '10 min'],
  ['6h', 21_600, '6 h'],
  ['2d', 172_800, '2 d'],
])('%s lasts %d seconds and reads "%s"', (horizon, seconds, text) => {
  expect(horizonSeconds(horizon)).toBe(seconds);
  expect(horizonText(horizon)).toBe(text);
});

test('the present has no horizon', () => {
  expect(horizonSeconds(null)).toBe(0);
});

test('10, 20 and 30 minutes are three horizons, shortest first', () => {
  const bodies = ['30min', '1h', '10min', null, '20min', '10min'].map((horizon) => ({ horizon }));
  expect(forecastHorizons(bodies)).toEqual(['10min', '20min', '30min', '1h']);
});
