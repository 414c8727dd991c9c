import { answer } from '../api/problem';
import type { Trends as Told } from '../api/types';
import type { Api } from '../api/client';
import { Asked } from './asked.svelte';

export type Span = { from: number; to: number };

const USUAL_HOURS = 48;
const RANGES_HOURS = [1, 3, 6, 12, 24, USUAL_HOURS, 96, 168, 672, 4032];
/** A range of fewer intervals shows nothing, one of more is refused by the server. */
const FEWEST_ROWS = 6;
const MOST_ROWS = 20_000;
const MOST_RANGES = 7;
const POINTS = 800;
/** A zoom narrower than this shows nothing more. */
const NARROWEST_MS = 60_000;

/** The ranges in hours that are worth a button at a cadence. */
export function rangesOf(cadenceSeconds: number): number[] {
  const rows = (hours: number) => (hours * 3600) / cadenceSeconds;
  return RANGES_HOURS.filter((one) => rows(one) >= FEWEST_ROWS && rows(one) <= MOST_ROWS).slice(
    0,
    MOST_RANGES,
  );
}

/** The range to begin with. */
export function usualRange(cadenceSeconds: number): number {
  const ranges = rangesOf(cadenceSeconds);
  return ranges.includes(USUAL_HOURS) ? USUAL_HOURS : (ranges.at(-1) ?? USUAL_HOURS);
}

/** Which series over which time. `base` is what was chosen, `zoom` a part of it; following, the end of `base` is now. */
export class TrendsState {
  keys = $state.raw<string[]>([]);
  hours = $state<number | null>(USUAL_HOURS);
  custom = $state.raw<Span | null>(null);
  zoom = $state.raw<Span | null>(null);
  follow = $state(true);
  now = $state(0);
  readonly told = new Asked<Told>();
  readonly base = $derived<Span>(
    this.custom ?? { from: this.now - (this.hours ?? USUAL_HOURS) * 3_600_000, to: this.now },
  );
  readonly shown = $derived<Span>(this.zoom ?? this.base);

  constructor(private readonly api: Api) {}

  toggle(key: string): Promise<void> {
    this.keys = this.keys.includes(key)
      ? this.keys.filter((one) => one !== key)
      : [...this.keys, key];
    return this.load();
  }

  preset(hours: number, now: number): Promise<void> {
    this.hours = hours;
    this.custom = this.zoom = null;
    this.follow = true;
    this.now = now;
    return this.load();
  }

  between(from: number, to: number): Promise<void> {
    this.hours = null;
    this.custom = from < to ? { from, to } : { from: to, to: from };
    this.zoom = null;
    this.follow = false;
    return this.load();
  }

  zoomTo(from: number, to: number): Promise<void> | void {
    if (Math.abs(to - from) < NARROWEST_MS) return;
    this.zoom = { from: Math.min(from, to), to: Math.max(from, to) };
    this.follow = false;
    return this.load();
  }

  reset(): Promise<void> {
    this.zoom = null;
    this.follow = this.custom === null;
    return this.load();
  }

  /** Time went on, or the newest interval was assessed again. */
  advance(now: number, again = false): Promise<void> | void {
    if (!this.follow || this.custom || (now <= this.now && !again)) return;
    this.now = now;
    return this.load();
  }

  setFollow(on: boolean, now: number): Promise<void> | void {
    this.follow = on;
    if (!on) return;
    return this.preset(this.hours ?? USUAL_HOURS, now);
  }

  async load(): Promise<void> {
    if (!this.keys.length) return this.told.clear();
    const { from, to } = this.shown;
    const query = { tags: this.keys.join(','), from: iso(from), to: iso(to), points: POINTS };
    await this.told.ask(
      () => answer(this.api.GET('/trends', { params: { query } })) as Promise<Told>,
    );
  }
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
