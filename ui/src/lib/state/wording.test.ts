import { expect, test } from 'vitest';
import {
  forecastText,
  inBrackets,
  likelihood,
  LIKELY,
  thresholdText,
  VERY_LIKELY,
} from './wording';

test.each([
  [0.09, 'possible'],
  [LIKELY - 0.001, 'possible'],
  [LIKELY, 'likely'],
  [VERY_LIKELY - 0.001, 'likely'],
  [VERY_LIKELY, 'very likely'],
  [null, 'possible'],
] as const)('an alarm with a probability of %s is %s', (probability, text) => {
  expect(likelihood(probability)).toBe(text);
});

test('the probability follows the text', () => {
  expect(forecastText('3 h', 0.09) + inBrackets(0.09)).toBe('Alarm possible within 3 h (9 %)');
  expect(forecastText('1 h', null) + inBrackets(null)).toBe('Alarm possible within 1 h');
});

test.each([
  ['probability', 0.09, 0.08, 'Over threshold 8 %'],
  ['probability', 0.08, 0.08, 'Over threshold 8 %'],
  ['probability', 0.07, 0.08, 'Below threshold 8 %'],
  ['anomaly', 3.1, 4.25, 'Below threshold 4.25'],
] as const)('the %s %d compared with its threshold %d', (kind, score, threshold, text) => {
  expect(thresholdText({ kind }, score, threshold).replaceAll('\u00a0', ' ')).toBe(text);
});
