import { expect, test } from 'vitest';
import { readEvents, type ServerEvent } from './stream';

const encoder = new TextEncoder();

function streamOf(chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      chunks.forEach((chunk) => controller.enqueue(chunk));
      controller.close();
    },
  });
}

async function eventsOf(...chunks: Uint8Array[]) {
  const events: ServerEvent[] = [];
  let pieces = 0;
  const handlers = { onEvent: (event: ServerEvent) => events.push(event), onBytes: () => pieces++ };
  await readEvents(streamOf(chunks), handlers);
  return { events, pieces };
}

test('events do not depend on where the network splits the response', async () => {
  const response =
    ': still here\n\nevent: reading\ndata: {"a": "Ü"}\n\n' +
    'event: status\r\ndata: 1\r\ndata: 2\r\n\r\ndata: x\n\n';
  const bytes = encoder.encode(response);
  for (let size = 1; size <= bytes.length; size++) {
    const count = Math.ceil(bytes.length / size);
    const chunks = Array.from({ length: count }, (_, at) =>
      bytes.slice(at * size, (at + 1) * size),
    );
    const { events, pieces } = await eventsOf(...chunks);
    expect(events).toEqual([
      { name: 'reading', data: '{"a": "Ü"}' },
      { name: 'status', data: '1\n2' },
      { name: 'message', data: 'x' },
    ]);
    expect(pieces).toBe(count);
  }
});

test.each([
  ['half an event', 'event: reading\ndata: {"a": 1}\n'],
  ['a comment', ': still here\n\n'],
  ['an event without data', 'event: reading\n\n'],
])('%s gives no event', async (_, response) => {
  expect((await eventsOf(encoder.encode(response))).events).toEqual([]);
});
