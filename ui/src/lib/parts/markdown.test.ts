import { expect, test } from 'vitest';
import { blocks } from './markdown';

test('a card in blocks', () => {
  const card =
    '# Risk\nWarns **early**, by\n`paths`.\n\n- one\n- two\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```\nx # y\n```\n';
  expect(blocks(card)).toEqual([
    { kind: 'heading', level: 1, runs: [{ kind: 'text', text: 'Risk' }] },
    {
      kind: 'paragraph',
      runs: [
        { kind: 'text', text: 'Warns ' },
        { kind: 'strong', text: 'early' },
        { kind: 'text', text: ', by ' },
        { kind: 'code', text: 'paths' },
        { kind: 'text', text: '.' },
      ],
    },
    { kind: 'list', items: [[{ kind: 'text', text: 'one' }], [{ kind: 'text', text: 'two' }]] },
    {
      kind: 'table',
      head: [[{ kind: 'text', text: 'a' }], [{ kind: 'text', text: 'b' }]],
      rows: [[[{ kind: 'text', text: '1' }], [{ kind: 'text', text: '2' }]]],
    },
    { kind: 'code', text: 'x # y' },
  ]);
});

test.each([
  '<script>alert(1)</script>',
  '#no heading',
  '| lone pipe',
  '```',
  '**',
  '- ',
  '* a * b',
])('%j ends', (text) => {
  expect(blocks(text).length).toBeLessThanOrEqual(1);
});

test('markup of the page stays text', () => {
  expect(blocks('<img src=x onerror=alert(1)>')).toEqual([
    { kind: 'paragraph', runs: [{ kind: 'text', text: '<img src=x onerror=alert(1)>' }] },
  ]);
});
