import { expect, test } from 'vitest';
import { duration, percent } from './format';
import { PlantTime } from './plant-time';

const berlin = new PlantTime('Europe/Berlin');

test('the repeated hour of a clock change is two hours', () => {
  const [first, second] = ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'];
  expect(berlin.full(first)).toBe('2026-10-25 02:30 +02:00');
  expect(berlin.full(second)).toBe('2026-10-25 02:30 +01:00');
  expect(berlin.fromInput('2026-10-25T02:30')).toBe(Date.parse(first));
});

test.each([
  ['2026-01-15T12:00', '2026-01-15T11:00:00Z'],
  ['2026-07-15T12:00', '2026-07-15T10:00:00Z'],
  ['2026-03-29T03:00', '2026-03-29T01:00:00Z'],
])('%s is typed on the plant’s clock', (typed, instant) => {
  expect(berlin.fromInput(typed)).toBe(Date.parse(instant));
  expect(berlin.toInput(instant)).toBe(typed);
});

test('UTC says its offset too', () => {
  expect(new PlantTime('UTC').full('2026-01-15T12:00:00Z')).toBe('2026-01-15 12:00 +00:00');
  expect(berlin.fromInput('tomorrow')).toBeNull();
});

test('an axis says the day where it begins, and the clock elsewhere', () => {
  expect(berlin.mark('2026-01-14T23:00:00Z')).toBe('01-15');
  expect(berlin.mark('2026-01-15T11:00:00Z')).toBe('12:00');
});

test.each([
  [0, '0 %'],
  [0.004, '< 1 %'],
  [0.5, '50 %'],
  [0.996, '> 99 %'],
  [1, '100 %'],
  [null, '--'],
])('a probability of %j reads %s', (share, text) => expect(percent(share)).toBe(text));

test.each([
  [59, '59 s'],
  [3599, '59 min'],
  [3660, '1 h 1 min'],
  [172800, '2 d'],
  [null, '--'],
])('%j seconds read %s', (seconds, text) => expect(duration(seconds)).toBe(text));
