import { expect, test } from 'vitest';
import { parseNumber } from './parse-number';
import { TAGS } from './fixtures';
import { WindowEditor } from './window.svelte';

const editor = () => new WindowEditor(TAGS, 3);

test('a block from a spreadsheet is pasted at the cell, and rows are added as needed', () => {
  const window = editor();
  window.fill([{ p1: 1 }, { p1: 2 }, { p1: 3 }]);
  window.paste(2, 0, '7,5\t50\r\n8\t51\r\n');
  expect(window.cells).toEqual([
    ['1', ''],
    ['2', ''],
    ['7,5', '50'],
    ['8', '51'],
  ]);
  expect(window.rows()[2]).toEqual({ p1: 7.5, l1: 50 });
  expect(window.problem).toBeNull();
});

test('columns beyond the last are ignored', () => {
  const window = editor();
  window.paste(0, 1, '50\t99\t98');
  expect(window.cells[0]).toEqual(['', '50']);
});

test.each([
  ['fewer rows than the window', [{ p1: 1 }], 'At least 3 rows are required; there are 1.'],
  [
    'no values',
    [{}, {}, {}],
    'Load live data, choose a preset, paste from a spreadsheet or enter values.',
  ],
])('%s cannot be sent', (_, rows, problem) => {
  const window = editor();
  window.fill(rows);
  expect(window.problem).toBe(problem);
});

test('the message names a cell that is not a number', () => {
  const window = editor();
  window.set(1, 1, 'high');
  expect(window.problem).toBe('Row 2, L1: “high” is not a number.');
});

test('an edited value is sent without its extremes; other values keep theirs', () => {
  const window = editor();
  const row = (hour: number) => ({
    timestamp: `2026-06-01T0${hour}:00:00Z`,
    segment: 0,
    p1: 5,
    p1_max: 6,
    l1: 50,
    l1_max: 55,
  });
  window.fill([row(1), row(2), row(3)]);
  window.set(1, 0, '9');
  expect(window.rows()).toEqual([
    row(1),
    { timestamp: row(2).timestamp, segment: 0, p1: 9, l1: 50, l1_max: 55 },
    row(3),
  ]);
  window.add();
  expect(window.rows()[0]).toEqual({ p1: 5, p1_max: 6, l1: 50, l1_max: 55 });
});

test.each([
  ['12.5', 12.5],
  [' 12,5 ', 12.5],
  ['−3', -3],
  ['1e3', 1000],
  ['', null],
  ['--', null],
  ['1,234.5', undefined],
  ['0x10', undefined],
  ['NaN', undefined],
  ['Infinity', undefined],
])('%j is read as %j', (text, number) => {
  expect(parseNumber(text)).toBe(number);
});
