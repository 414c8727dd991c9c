import { expect, test } from 'vitest';
import { createApi } from '../api/client';
import { json, serverWith } from './fixtures';
import { rangesOf, TrendsState, defaultRange } from './trends.svelte';

const HOUR = 3_600_000;
const NOON = Date.parse('2026-06-01T12:00:00Z');
function trends() {
  const queries: URLSearchParams[] = [];
  const { send } = serverWith({
    'GET /trends': (request) => {
      queries.push(new URL(request.url).searchParams);
      return json({ time: [], series: [], limits: [], spans: [] });
    },
  });
  const state = new TrendsState(createApi(send, location.origin));
  state.keys = ['p1'];
  return { state, queries, last: () => queries.at(-1) };
}

test('a preset requests the hours before now', async () => {
  const { state, last } = trends();
  await state.setHours(6, NOON);
  expect(last()?.get('from')).toBe('2026-06-01T06:00:00.000Z');
  expect(last()?.get('to')).toBe('2026-06-01T12:00:00.000Z');
});

test('a zoom requests finer points and stops following; a reset undoes both', async () => {
  const { state, last } = trends();
  await state.setHours(48, NOON);
  await state.zoomTo(NOON - HOUR, NOON - 3 * HOUR);
  expect(state.shown).toEqual({ from: NOON - 3 * HOUR, to: NOON - HOUR });
  expect(last()?.get('from')).toBe('2026-06-01T09:00:00.000Z');
  expect(state.follow).toBe(false);
  await state.advance(NOON + HOUR);
  expect(state.shown.to).toBe(NOON - HOUR);
  await state.reset();
  expect(state.shown).toEqual({ from: NOON - 48 * HOUR, to: NOON });
  await state.advance(NOON + HOUR);
  expect(state.shown.to).toBe(NOON + HOUR);
});

test('a click is not a zoom', async () => {
  const { state, queries } = trends();
  await state.setHours(48, NOON);
  await state.zoomTo(NOON, NOON + 1000);
  expect(state.zoom).toBeNull();
  expect(queries).toHaveLength(1);
});

test('a custom range stays where it is, and is put in ascending order', async () => {
  const { state } = trends();
  await state.setRange(NOON, NOON - HOUR);
  await state.advance(NOON + HOUR);
  await state.reset();
  expect(state.shown).toEqual({ from: NOON - HOUR, to: NOON });
});

test('with nothing chosen nothing is queries', async () => {
  const { state, queries } = trends();
  await state.toggle('p1');
  expect([queries.length, state.result.value]).toEqual([0, null]);
  await state.toggle('l1');
  expect(queries[0]?.get('tags')).toBe('l1');
});

test.each([
  [3600, [6, 12, 24, 48, 96, 168, 672], 48],
  [60, [1, 3, 6, 12, 24, 48, 96], 48],
  [1, [1, 3], 3],
  [86_400, [168, 672, 4032], 4032],
])('the ranges of a plant with a cadence of %d s', (cadence, ranges, initial) => {
  expect(rangesOf(cadence)).toEqual(ranges);
  expect(defaultRange(cadence)).toBe(initial);
});
