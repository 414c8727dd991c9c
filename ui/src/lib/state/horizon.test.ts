import { expect, test } from 'vitest';
import { forecastHorizons, horizonOf, horizonSeconds, horizonText } from './horizon';

test.each([
  [{ horizon: '10min', horizon_hours: 0.1667 }, '10min'],
  [{ horizon: null, horizon_hours: null }, null],
  [{ horizon_hours: null }, null],
  [{ horizon_hours: 1 }, '1h'],
  [{ horizon_hours: 48 }, '48h'],
  [{ horizon_hours: 0.1666 }, '10min'],
  [{ horizon_hours: 1.5 }, '90min'],
  [{ horizon_hours: 0.0083 }, '30s'],
])('the horizon of %j is %j', (body, horizon) => {
  expect(horizonOf(body)).toBe(horizon);
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

test('10, 20 and 30 minutes are three horizons, in hours too', () => {
  const hours = [0.5, 0.1667, 0.3333].map((horizon_hours) => ({ horizon_hours }));
  expect(forecastHorizons(hours)).toEqual(['10min', '20min', '30min']);
  const durations = ['1h', '10min', null, '10min'].map((horizon) => ({ horizon }));
  expect(forecastHorizons(durations)).toEqual(['10min', '1h']);
});
