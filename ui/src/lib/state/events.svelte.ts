import { bodyOf } from '../api/problem';
import type { Events, PlantState } from '../api/types';
import { Resource } from './resource.svelte';
import type { Session } from './session.svelte';

/** Limit alarms in one request. */
const PAGE_SIZE = 100;
/** Intervals that a trend shows before and after an event. */
const TREND_MARGIN_INTERVALS = 6;

/** The plant's limit alarms, newest first. */
export class EventList {
  readonly page = new Resource<Events>();
  readonly events = $derived(this.page.value?.events ?? []);

  constructor(private readonly session: Session) {}

  async load(): Promise<void> {
    const params = { query: { size: PAGE_SIZE } };
    await this.page.load(() => bodyOf(this.session.api.GET('/events', { params })));
  }
}

/** Identifies the active limit alarms. While it stays the same, the list of events does too. */
export function activeAlarmsKey(state: PlantState | null): string {
  return (state?.limits ?? []).map((alarm) => `${alarm.rule} ${alarm.since}`).join();
}

/** The query of the trend of an event: its series, from some intervals before its beginning. */
export function trendOf(
  key: string,
  begin: string,
  end: string | null,
  cadenceSeconds: number,
): Record<string, string> {
  const margin = TREND_MARGIN_INTERVALS * cadenceSeconds * 1000;
  const from = new Date(Date.parse(begin) - margin).toISOString();
  const to = end && new Date(Date.parse(end) + margin).toISOString();
  return { tags: key, from, ...(to ? { to } : {}) };
}
