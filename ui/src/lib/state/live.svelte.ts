import { answer } from '../api/problem';
import type { FeedStatus, IntervalSummary, Live, PlantAssessment, PlantTag, PlantView } from '../api/types';
import { readInstrument, type Instrument } from './instrument';
import { judge, type PlantState } from './plant-state';
import { summaryOf } from './summary';
import type { Session } from './session.svelte';
import { readEvents, type Told } from './stream';

/** Intervals kept for the charts: what the server's first answer holds. */
const KEPT = 48;
/** The server sends a sign of life every ten seconds; longer silence means that nobody is there. */
const SILENCE_MS = 25_000;
/** A lost connection may be back at once; values stand that long. */
const GRACE_MS = 5_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

type Clock = { now: () => number; wait: (ms: number, signal: AbortSignal) => Promise<void> };

/** The plant as it is now: the newest readings and assessments, and whether they can be believed. */
export class LivePlant {
  reading = $state.raw<Live | null>(null);
  /** The newest closed interval with its whole assessment. */
  latest = $state.raw<PlantAssessment | null>(null);
  /** The intervals up to the newest one as charts draw them, oldest first. */
  past = $state.raw<IntervalSummary[]>([]);
  status = $state.raw<FeedStatus | null>(null);
  #provisional = $state.raw<PlantAssessment | null>(null);
  connection = $state<'connecting' | 'live' | 'offline'>('connecting');
  attempts = $state(0);
  wallNow = $state(0);
  #heard = $state(0);
  #stopping: AbortController | null = null;
  readonly #listeners = new Set<(told: PlantAssessment) => void>();

  /** Wall milliseconds without any sign of life. */
  readonly silent = $derived(Math.max(0, this.wallNow - this.#heard));
  readonly lost = $derived(this.#heard > 0 && this.silent > (this.connection === 'live' ? SILENCE_MS : GRACE_MS));
  /** Why nothing on the screen can be taken as live; null while it can. */
  readonly blind = $derived(
    this.lost
      ? 'The connection to the server is lost.'
      : this.status && this.status.feed !== 'live'
        ? (this.status.feed_reason ?? `The feed is ${this.status.feed}.`)
        : null,
  );
  /** Milliseconds on the plant's clock; while nothing is heard it goes on at least as fast as the wall's. */
  readonly plantNow = $derived.by(() => {
    const known = [this.reading?.reading.timestamp, this.status?.plant_time, this.latest?.assessment.known_at];
    const stamps = known.flatMap((stamp) => (stamp ? [Date.parse(stamp)] : []));
    return stamps.length ? Math.max(...stamps) + (this.lost ? this.silent : 0) : null;
  });

  /** What is said of the interval that ends now, where nothing closed is newer. */
  readonly provisional = $derived.by(() => {
    const [open, closed] = [this.#provisional?.assessment.known_at, this.latest?.assessment.known_at];
    return open && (!closed || Date.parse(open) > Date.parse(closed)) ? this.#provisional : null;
  });

  constructor(
    private readonly session: Session,
    private readonly clock: Clock = { now: Date.now, wait },
  ) {
    this.wallNow = clock.now();
  }

  instrument(tag: PlantTag): Instrument {
    const judged = this.latest?.assessment.quality ?? [];
    const { reading: live, plantNow, blind } = this;
    return readInstrument(tag, { live, judged, plantNow, blind: blind !== null });
  }

  state(plant: PlantView): PlantState {
    const { latest, past, plantNow, blind } = this;
    return judge({ plant, latest, past, plantNow, blind });
  }

  /** The plant's state as the provisional assessment has it; null where there is none. */
  provisionalState(plant: PlantView): PlantState | null {
    const { provisional, plantNow, blind } = this;
    if (!provisional) return null;
    return judge({ plant, latest: provisional, past: [...this.past, summaryOf(provisional)], plantNow, blind });
  }

  /** Hear of every new closed interval; returns how to stop. */
  onAssessment(listener: (told: PlantAssessment) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stay connected until stopped. */
  start(): () => void {
    const stopping = (this.#stopping = new AbortController());
    const ticking = setInterval(() => (this.wallNow = this.clock.now()), 1000);
    void this.#run(stopping.signal);
    return () => {
      stopping.abort();
      clearInterval(ticking);
    };
  }

  /** Try again at once, not after the wait. */
  retry(): void {
    this.#stopping?.signal.dispatchEvent(new Event('retry'));
  }

  hear({ event, data }: Told): void {
    if (event === 'reading') this.reading = JSON.parse(data) as Live;
    if (event === 'status') this.status = JSON.parse(data) as FeedStatus;
    if (event === 'assessment') this.#add(JSON.parse(data) as PlantAssessment);
    if (event === 'provisional') this.#provisional = JSON.parse(data) as PlantAssessment;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const before = this.clock.now();
      await this.#connect(signal).catch(() => undefined);
      if (signal.aborted) return;
      this.connection = 'offline';
      if (this.clock.now() - before > LONGEST_WAIT_MS) this.attempts = 0;
      const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.attempts++);
      await this.clock.wait(longest * (0.5 + Math.random() / 2), signal);
    }
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const { api } = this.session;
    const response = await api.GET('/stream', { parseAs: 'stream', signal }).then((told) => told.response);
    if (!response.ok || !response.body) throw new Error(`stream: ${response.status}`);
    this.#alive();
    await this.#catchUp();
    this.connection = 'live';
    this.attempts = 0;
    await readEvents(
      response.body,
      (told) => this.hear(told),
      () => this.#alive(),
    );
  }

  async #catchUp(): Promise<void> {
    const seen = await answer(this.session.api.GET('/overview', { params: { query: { n: KEPT } } }));
    this.latest = seen.latest;
    this.past = seen.past;
    this.#provisional = seen.provisional ?? null;
    this.status = seen.status;
  }

  #alive(): void {
    this.#heard = this.wallNow = this.clock.now();
  }

  /** A new interval, or one that was assessed again: it then takes the place of the old one, and is not announced twice. */
  #add(told: PlantAssessment): void {
    const added = summaryOf(told);
    const start = Date.parse(added.timestamp);
    const others = this.past.filter((one) => Date.parse(one.timestamp) !== start);
    const again = others.length < this.past.length;
    const newer = others.some((one) => Date.parse(one.timestamp) > start);
    this.past = [...others, added].sort((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp)).slice(-KEPT);
    if (!newer) this.latest = told;
    if (!again) this.#listeners.forEach((listener) => listener(told));
  }
}

/** Milliseconds, cut short by the end or by a wish to retry. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      signal.removeEventListener('retry', done);
      resolve();
    }
    signal.addEventListener('abort', done);
    signal.addEventListener('retry', done);
  });
}
