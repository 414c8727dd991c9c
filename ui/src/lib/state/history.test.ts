import { expect, test } from 'vitest';
import { createApi } from '../api/client';
import type { Entry } from '../api/types';
import { json, problem, serverWith } from './fixtures';
import { HistoryState } from './history.svelte';

const entry = (id: number) => ({ id, type: 'predict', score: 0.5 }) as Entry;
const page = (...ids: number[]) =>
  json({ entries: ids.map(entry), page: 1, size: 50, total: ids.length });
function history(table: Parameters<typeof serverWith>[0]) {
  const { send, requests } = serverWith(table);
  return { state: new HistoryState(createApi(send, location.origin), send), requests };
}

test('a deletion shows at once, and undo brings the entry back', async () => {
  let stored = [3, 2, 1];
  const { state, requests } = history({
    'GET /history': () => page(...stored),
    'DELETE /history/2': () => ((stored = [3, 1]), json(entry(2))),
    'POST /history/2/restore': () => ((stored = [3, 2, 1]), json(entry(2))),
  });
  await state.load();
  const removing = state.remove(entry(2));
  expect(state.entries.map(({ id }) => id)).toEqual([3, 1]);
  expect(state.total).toBe(2);
  await removing;
  await state.restore(entry(2));
  expect(state.entries.map(({ id }) => id)).toEqual([3, 2, 1]);
  expect(requests).toEqual([
    'GET /history',
    'DELETE /history/2',
    'POST /history/2/restore',
    'GET /history',
  ]);
});

test('an entry whose deletion fails is shown again', async () => {
  const { state } = history({
    'GET /history': () => page(1),
    'DELETE /history/1': () => problem(404, 'no entry 1'),
  });
  await state.load();
  await expect(state.remove(entry(1))).rejects.toThrow('no entry 1');
  expect(state.entries.map(({ id }) => id)).toEqual([1]);
});

test('a filter starts at the first page, and the export uses the same filter', async () => {
  const urls: string[] = [];
  const { state } = history({
    'GET /history': (request) => (
      urls.push(`${request.headers.get('Accept')} ${request.url.split('?')[1]}`),
      page(1)
    ),
  });
  state.page = 4;
  await state.setFilter({ type: 'forecast', since: 0 });
  await state.setFilter({ since: Date.parse('2026-06-01T00:00:00Z') });
  await state.csv();
  expect(state.page).toBe(1);
  expect(urls.at(-1)).toBe(
    'text/csv type=forecast&since=2026-06-01T00%3A00%3A00.000Z&deleted=false',
  );
});

test('a late response to an earlier request is not shown', async () => {
  const waiting: ((response: Response) => void)[] = [];
  const { state } = history({
    'GET /history': () => new Promise<Response>((resolve) => waiting.push(resolve)),
  });
  const [slow, quick] = [state.load(), state.load()];
  await expect.poll(() => waiting.length).toBe(2);
  waiting[1]!(page(2));
  await quick;
  waiting[0]!(page(1));
  await slow;
  expect(state.entries.map(({ id }) => id)).toEqual([2]);
});
