import { expect, test } from 'vitest';
import {
  beside,
  besideThreshold,
  foretold,
  horizonSeconds,
  likelihood,
  LIKELY,
  VERY_LIKELY,
  withinOf,
} from './wording';

test.each([
  [0.09, 'possible'],
  [LIKELY - 0.001, 'possible'],
  [LIKELY, 'likely'],
  [VERY_LIKELY - 0.001, 'likely'],
  [VERY_LIKELY, 'very likely'],
  [null, 'possible'],
] as const)('a probability of %s is called %s', (probability, word) => {
  expect(likelihood(probability)).toBe(word);
});

test('the figure is next to the word', () => {
  expect(`${foretold('3 h', 0.09)}${beside(0.09)}`).toBe('Alarm possible within 3 h (9 %)');
  expect(`${foretold('1 h', null)}${beside(null)}`).toBe('Alarm possible within 1 h');
});

test.each([
  [0.09, 0.08, 'Over threshold 8 %'],
  [0.08, 0.08, 'Over threshold 8 %'],
  [0.07, 0.08, 'Below threshold 8 %'],
])('%d beside %d', (score, threshold, words) => {
  expect(besideThreshold(score, threshold).replaceAll('\u00a0', ' ')).toBe(words);
});

test.each([
  ['Alarm within 1 h', 1, '1 h', 3600],
  ['Alarm within 10 min', 0, '10 min', 600],
  ['Alarm within 90 min', 2, '90 min', 5400],
  ['Alarm within 2 d', 48, '2 d', 172_800],
  ['Overflow', 6, '6 h', 21_600],
])('the horizon of "%s"', (label, horizon_hours, within, seconds) => {
  expect(withinOf({ label, horizon_hours }, 0)).toBe(within);
  expect(horizonSeconds({ label, horizon_hours })).toBe(seconds);
});
