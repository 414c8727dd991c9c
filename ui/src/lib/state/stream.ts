import { createParser } from 'eventsource-parser';

/** An event that the server sent. */
export type ServerEvent = { name: string; data: string };

type Handlers = {
  onEvent: (event: ServerEvent) => void;
  /** Called for every piece of the response, comments included: the connection works. */
  onBytes?: () => void;
};

/** Read the server-sent events of a response until it ends or is aborted. */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  { onEvent, onBytes }: Handlers,
  signal?: AbortSignal,
): Promise<void> {
  const decoder = new TextDecoder();
  const parser = createParser({
    onEvent: ({ event, data }) => onEvent({ name: event ?? 'message', data }),
  });
  const reader = body.getReader();
  const cancel = () => void reader.cancel().catch(() => undefined);
  signal?.addEventListener('abort', cancel);
  try {
    while (!signal?.aborted) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes?.();
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    reader.releaseLock();
  }
}
