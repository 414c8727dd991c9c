import { answer, Problem } from '../api/problem';
import type { Api } from '../api/client';
import { BASE } from '../api/client';
import type { Entry, EntryType } from '../api/types';
import { Asked } from './asked.svelte';

export type Filter = {
  type: EntryType | null;
  since: number | null;
  until: number | null;
  deleted: boolean;
};
type Page = { entries: Entry[]; page: number; size: number; total: number };
type Fetch = (request: Request) => Promise<Response>;

const SIZE = 50;

/** One's own results, page by page. A deletion shows at once and can be taken back. */
export class HistoryState {
  filter = $state.raw<Filter>({ type: null, since: null, until: null, deleted: false });
  page = $state(1);
  readonly told = new Asked<Page>();
  readonly entries = $derived(this.told.value?.entries ?? []);
  readonly total = $derived(this.told.value?.total ?? 0);
  readonly pages = $derived(Math.max(1, Math.ceil(this.total / SIZE)));

  constructor(
    private readonly api: Api,
    private readonly fetch: Fetch,
  ) {}

  async load(): Promise<void> {
    const query = { ...this.#query(), page: this.page, size: SIZE };
    await this.told.ask(
      () => answer(this.api.GET('/history', { params: { query } })) as Promise<Page>,
    );
  }

  narrow(change: Partial<Filter>): Promise<void> {
    this.filter = { ...this.filter, ...change };
    this.page = 1;
    return this.load();
  }

  turn(page: number): Promise<void> {
    this.page = Math.min(Math.max(1, page), this.pages);
    return this.load();
  }

  /** Take an entry off the page and delete it; where that fails it is put back. */
  async remove(entry: Entry): Promise<void> {
    const before = this.told.value;
    this.#without(entry);
    try {
      await answer(
        this.api.DELETE('/history/{number}', { params: { path: { number: entry.id } } }),
      );
    } catch (cause) {
      this.told.value = before;
      throw cause;
    }
  }

  async restore(entry: Entry): Promise<void> {
    await answer(
      this.api.POST('/history/{number}/restore', { params: { path: { number: entry.id } } }),
    );
    await this.load();
  }

  /** Everything that fits the filter, as a file. */
  async csv(): Promise<Blob> {
    const given = Object.entries(this.#query()).map(([name, value]) => [name, String(value)]);
    const url = `${location.origin}${BASE}/history?${new URLSearchParams(given)}`;
    const response = await this.fetch(new Request(url, { headers: { Accept: 'text/csv' } })).catch(
      () => null,
    );
    if (!response) throw new Problem(0, 'The server cannot be reached.');
    if (!response.ok) throw new Problem(response.status, `The export failed: ${response.status}.`);
    return response.blob();
  }

  #query() {
    const { type, since, until, deleted } = this.filter;
    return {
      ...(type ? { type } : {}),
      ...(since ? { since: new Date(since).toISOString() } : {}),
      ...(until ? { until: new Date(until).toISOString() } : {}),
      deleted,
    };
  }

  #without(entry: Entry): void {
    if (!this.told.value) return;
    const entries = this.entries.filter((one) => one.id !== entry.id);
    this.told.value = { ...this.told.value, entries, total: this.total - 1 };
  }
}
