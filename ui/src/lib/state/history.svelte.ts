import { bodyOf, Problem } from '../api/problem';
import type { Api } from '../api/client';
import { BASE } from '../api/client';
import type { Entry, EntryType } from '../api/types';
import { Resource } from './resource.svelte';

export type Filter = {
  type: EntryType | null;
  since: number | null;
  until: number | null;
  deleted: boolean;
};
type Page = { entries: Entry[]; page: number; size: number; total: number };
type Fetch = (request: Request) => Promise<Response>;

const PAGE_SIZE = 50;

/** The user's own results, page by page. A deletion shows at once and can be undone. */
export class HistoryState {
  filter = $state.raw<Filter>({ type: null, since: null, until: null, deleted: false });
  page = $state(1);
  readonly result = new Resource<Page>();
  readonly entries = $derived(this.result.value?.entries ?? []);
  readonly total = $derived(this.result.value?.total ?? 0);
  readonly pages = $derived(Math.max(1, Math.ceil(this.total / PAGE_SIZE)));

  constructor(
    private readonly api: Api,
    private readonly fetch: Fetch,
  ) {}

  async load(): Promise<void> {
    const query = { ...this.#query(), page: this.page, size: PAGE_SIZE };
    await this.result.load(
      () => bodyOf(this.api.GET('/history', { params: { query } })) as Promise<Page>,
    );
  }

  setFilter(change: Partial<Filter>): Promise<void> {
    this.filter = { ...this.filter, ...change };
    this.page = 1;
    return this.load();
  }

  goTo(page: number): Promise<void> {
    this.page = Math.min(Math.max(1, page), this.pages);
    return this.load();
  }

  /** Hide an entry and delete it. If the deletion fails, the entry is shown again. */
  async remove(entry: Entry): Promise<void> {
    const shown = this.result.value;
    this.#hide(entry);
    try {
      await bodyOf(
        this.api.DELETE('/history/{number}', { params: { path: { number: entry.id } } }),
      );
    } catch (cause) {
      this.result.value = shown;
      throw cause;
    }
  }

  async restore(entry: Entry): Promise<void> {
    await bodyOf(
      this.api.POST('/history/{number}/restore', { params: { path: { number: entry.id } } }),
    );
    await this.load();
  }

  /** All entries that match the filter, as a CSV file. */
  async csv(): Promise<Blob> {
    const parameters = Object.entries(this.#query()).map(([name, value]) => [name, String(value)]);
    const url = `${location.origin}${BASE}/history?${new URLSearchParams(parameters)}`;
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

  #hide(entry: Entry): void {
    if (!this.result.value) return;
    const entries = this.entries.filter((other) => other.id !== entry.id);
    this.result.value = { ...this.result.value, entries, total: this.total - 1 };
  }
}
