import { expect, test } from 'vitest';
import { createApi } from '../api/client';
import { json, served } from './fixtures';
import { rangesOf, TrendsState, usualRange } from './trends.svelte';

const HOUR = 3_600_000;
const NOON = Date.parse('2026-06-01T12:00:00Z');
function trends() {
  const asked: URLSearchParams[] = [];
  const { send } = served({
    'GET /trends': (request) => {
      asked.push(new URL(request.url).searchParams);
      return json({ time: [], series: [], limits: [], spans: [] });
    },
  });
  const state = new TrendsState(createApi(send, location.origin));
  state.keys = ['p1'];
  return { state, asked, last: () => asked.at(-1) };
}

test('a preset asks for the hours before now', async () => {
  const { state, last } = trends();
  await state.preset(6, NOON);
  expect(last()?.get('from')).toBe('2026-06-01T06:00:00.000Z');
  expect(last()?.get('to')).toBe('2026-06-01T12:00:00.000Z');
});

test('a zoom asks for finer points and stops following; reset goes back and follows again', async () => {
  const { state, last } = trends();
  await state.preset(48, NOON);
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

test('a click is no zoom', async () => {
  const { state, asked } = trends();
  await state.preset(48, NOON);
  await state.zoomTo(NOON, NOON + 1000);
  expect(state.zoom).toBeNull();
  expect(asked).toHaveLength(1);
});

test('a custom range stays where it is, and is put in order', async () => {
  const { state } = trends();
  await state.between(NOON, NOON - HOUR);
  await state.advance(NOON + HOUR);
  await state.reset();
  expect(state.shown).toEqual({ from: NOON - HOUR, to: NOON });
});

test('with nothing chosen nothing is asked', async () => {
  const { state, asked } = trends();
  await state.toggle('p1');
  expect([asked.length, state.told.value]).toEqual([0, null]);
  await state.toggle('l1');
  expect(asked[0]?.get('tags')).toBe('l1');
});

test.each([
  [3600, [6, 12, 24, 48, 96, 168, 672], 48],
  [60, [1, 3, 6, 12, 24, 48, 96], 48],
  [1, [1, 3], 3],
  [86_400, [168, 672, 4032], 4032],
])('the ranges of a plant with a cadence of %d s', (cadence, ranges, usual) => {
  expect(rangesOf(cadence)).toEqual(ranges);
  expect(usualRange(cadence)).toBe(usual);
});
