import { answer } from '../api/problem';
import type { Events, PlantState } from '../api/types';
import type { Session } from './session.svelte';
import { Asked } from './asked.svelte';

/** Limit alarms in one request. */
const SIZE = 100;

/** The plant's limit alarms, newest first, as the server keeps them. */
export class EventList {
  readonly told = new Asked<Events>();
  readonly events = $derived(this.told.value?.events ?? []);

  constructor(private readonly session: Session) {}

  async load(): Promise<void> {
    const query = { size: SIZE };
    await this.told.ask(
      () =>
        answer(this.session.api.GET('/events' as never, { params: { query } } as never)) as never,
    );
  }
}

/** What must change in a state before the list of events can have changed. */
export function episodesOf(state: PlantState | null): string {
  return (state?.limits ?? []).map((one) => `${one.rule} ${one.since}`).join();
}

/** Where the trend of an event is: its instrument, from some intervals before its beginning. */
export function trendOf(
  key: string,
  begin: string,
  end: string | null,
  cadenceSeconds: number,
): Record<string, string> {
  const margin = 6 * cadenceSeconds * 1000;
  const from = new Date(Date.parse(begin) - margin).toISOString();
  return {
    tags: key,
    from,
    ...(end ? { to: new Date(Date.parse(end) + margin).toISOString() } : {}),
  };
}
