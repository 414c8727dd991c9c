import { expect, test } from 'vitest';
import { duration, percent } from './format';
import { PlantTime } from './plant-time';

const berlin = new PlantTime('Europe/Berlin');

test('the offset distinguishes the two repeated hours of a clock change', () => {
  const [first, second] = ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'];
  expect(berlin.full(first)).toBe('2026-10-25 02:30 +02:00');
  expect(berlin.full(second)).toBe('2026-10-25 02:30 +01:00');
  expect(berlin.parse('2026-10-25T02:30')).toBe(Date.parse(first));
});

test.each([
  ['2026-01-15T12:00', '2026-01-15T11:00:00Z'],
  ['2026-07-15T12:00', '2026-07-15T10:00:00Z'],
  ['2026-03-29T03:00', '2026-03-29T01:00:00Z'],
])('%s is a time in the plant’s time zone', (typed, instant) => {
  expect(berlin.parse(typed)).toBe(Date.parse(instant));
  expect(berlin.dateTime(instant)).toBe(typed);
});

test('UTC has an offset too', () => {
  expect(new PlantTime('UTC').full('2026-01-15T12:00:00Z')).toBe('2026-01-15 12:00 +00:00');
  expect(berlin.parse('tomorrow')).toBeNull();
});

test('an axis has the date at midnight and the clock elsewhere', () => {
  expect(berlin.axisMark('2026-01-14T23:00:00Z')).toBe('01-15');
  expect(berlin.axisMark('2026-01-15T11:00:00Z')).toBe('12:00');
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
