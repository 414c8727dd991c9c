import { bodyOf } from '../api/problem';
import type { Trends } from '../api/types';
import type { Api } from '../api/client';
import { Resource } from './resource.svelte';

export type Span = { from: number; to: number };

const DEFAULT_HOURS = 48;
const RANGES_HOURS = [1, 3, 6, 12, 24, DEFAULT_HOURS, 96, 168, 672, 4032];
/** A shorter range shows too little; the server rejects a longer one. */
const MIN_ROWS = 6;
const MAX_ROWS = 20_000;
const MAX_RANGES = 7;
const POINTS = 800;
/** A narrower zoom is treated as a click. */
const MIN_ZOOM_MS = 60_000;

/** The ranges, in hours, that the page offers at a cadence. */
export function rangesOf(cadenceSeconds: number): number[] {
  const rows = (hours: number) => (hours * 3600) / cadenceSeconds;
  return RANGES_HOURS.filter((hours) => rows(hours) >= MIN_ROWS && rows(hours) <= MAX_ROWS).slice(
    0,
    MAX_RANGES,
  );
}

/** The range that the page opens with. */
export function defaultRange(cadenceSeconds: number): number {
  const ranges = rangesOf(cadenceSeconds);
  return ranges.includes(DEFAULT_HOURS) ? DEFAULT_HOURS : (ranges.at(-1) ?? DEFAULT_HOURS);
}

/**
 * The chosen series and time range. `base` is the chosen range and `zoom` a part of it. With
 * `follow`, `base` ends now.
 */
export class TrendsState {
  keys = $state.raw<string[]>([]);
  hours = $state<number | null>(DEFAULT_HOURS);
  custom = $state.raw<Span | null>(null);
  zoom = $state.raw<Span | null>(null);
  follow = $state(true);
  now = $state(0);
  readonly result = new Resource<Trends>();
  readonly base = $derived<Span>(
    this.custom ?? { from: this.now - (this.hours ?? DEFAULT_HOURS) * 3_600_000, to: this.now },
  );
  readonly shown = $derived<Span>(this.zoom ?? this.base);

  constructor(private readonly api: Api) {}

  toggle(key: string): Promise<void> {
    this.keys = this.keys.includes(key)
      ? this.keys.filter((other) => other !== key)
      : [...this.keys, key];
    return this.load();
  }

  setHours(hours: number, now: number): Promise<void> {
    this.hours = hours;
    this.custom = this.zoom = null;
    this.follow = true;
    this.now = now;
    return this.load();
  }

  setRange(from: number, to: number): Promise<void> {
    this.hours = null;
    this.custom = from < to ? { from, to } : { from: to, to: from };
    this.zoom = null;
    this.follow = false;
    return this.load();
  }

  zoomTo(from: number, to: number): Promise<void> | void {
    if (Math.abs(to - from) < MIN_ZOOM_MS) return;
    this.zoom = { from: Math.min(from, to), to: Math.max(from, to) };
    this.follow = false;
    return this.load();
  }

  reset(): Promise<void> {
    this.zoom = null;
    this.follow = this.custom === null;
    return this.load();
  }

  /** A new interval has been assessed; `repeated`: one that had been assessed before. */
  advance(now: number, repeated = false): Promise<void> | void {
    if (!this.follow || this.custom || (now <= this.now && !repeated)) return;
    this.now = now;
    return this.load();
  }

  setFollow(on: boolean, now: number): Promise<void> | void {
    this.follow = on;
    if (!on) return;
    return this.setHours(this.hours ?? DEFAULT_HOURS, now);
  }

  async load(): Promise<void> {
    if (!this.keys.length) return this.result.clear();
    const { from, to } = this.shown;
    const query = { tags: this.keys.join(','), from: iso(from), to: iso(to), points: POINTS };
    await this.result.load(
      () => bodyOf(this.api.GET('/trends', { params: { query } })) as Promise<Trends>,
    );
  }
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
