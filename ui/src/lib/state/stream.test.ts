import { expect, test } from 'vitest';
import { EventParser, readEvents, type Told } from './stream';

const WIRE =
  ': still here\n\nevent: reading\ndata: {"a": "Ü"}\n\nevent: status\r\ndata: 1\r\ndata: 2\r\n\r\ndata: x\n\n';
const TOLD: Told[] = [
  { event: 'reading', data: '{"a": "Ü"}' },
  { event: 'status', data: '1\n2' },
  { event: 'message', data: 'x' },
];

test('events are the same wherever the network cuts them, inside a letter too', async () => {
  const bytes = new TextEncoder().encode(WIRE);
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.slice(at * size, (at + 1) * size),
    );
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        chunks.forEach((chunk) => controller.enqueue(chunk));
        controller.close();
      },
    });
    const heard: Told[] = [];
    let signs = 0;
    await readEvents(
      body,
      (told) => heard.push(told),
      () => signs++,
    );
    expect(heard).toEqual(TOLD);
    expect(signs).toBe(chunks.length);
  }
});

test('half an event is no event', () => {
  const parser = new EventParser();
  expect(parser.push('event: reading\ndata: {"a"')).toEqual([]);
  expect(parser.push(': 1}\n')).toEqual([]);
  expect(parser.push('\n')).toEqual([{ event: 'reading', data: '{"a": 1}' }]);
});

test('a comment and an event without data say nothing', () => {
  expect(new EventParser().push(': still here\n\nevent: reading\n\n')).toEqual([]);
});
