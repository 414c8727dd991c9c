import { answer } from '../api/problem';
import type {
  FeedStatus,
  IntervalSummary,
  Live,
  Overview,
  PlantAssessment,
  PlantState,
  PlantTag,
} from '../api/types';
import { readInstrument, type Instrument } from './instrument';
import type { Session } from './session.svelte';
import { readEvents, type Told } from './stream';
import { summaryOf } from './summary';

/** Intervals kept for the charts: what the server's first answer holds. */
export const KEPT = 48;
/** The server sends at least a comment every three seconds; a longer silence than this means that the connection is lost. */
export const SILENCE_MS = 8_000;
/** A connection that lasted this long was a good one: when it ends, the first new attempt needs no pause. */
const STEADY_MS = 10_000;
/** The past that sparklines and charts show, at most. */
const PAST_SECONDS = 48 * 3600;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const TICK_MS = 1_000;

/** How much of the past is kept at a cadence: two days, or as many intervals as are kept. */
export function pastSeconds(cadence: number): number {
  return Math.min(PAST_SECONDS, KEPT * cadence);
}

type Clock = { now: () => number; wait: (ms: number, signal: AbortSignal) => Promise<void> };
type Listener = (told: PlantAssessment, again: boolean) => void;

/**
 * The plant as it is now: the newest readings, the state and the assessments, and whether they can be believed.
 * `reconnecting`: a stream has ended (it ends with each access token) and the first new attempt is under way.
 */
export class LivePlant {
  reading = $state.raw<Live | null>(null);
  /** The newest closed interval with its whole assessment. */
  latest = $state.raw<PlantAssessment | null>(null);
  /** The intervals up to the newest one as charts draw them, oldest first. */
  past = $state.raw<IntervalSummary[]>([]);
  status = $state.raw<FeedStatus | null>(null);
  /** The one state of the plant that all parts of the screen show. */
  state = $state.raw<PlantState | null>(null);
  #provisional = $state.raw<PlantAssessment | null>(null);
  connection = $state<'connecting' | 'live' | 'reconnecting' | 'offline'>('connecting');
  attempts = $state(0);
  wallNow = $state(0);
  /** Wall milliseconds of the last byte from the server; null before the first. */
  heardAt = $state<number | null>(null);
  /** Wall milliseconds of the last reading. */
  readAt = $state<number | null>(null);
  /** The newest known instant on the plant's clock, and when it was heard. */
  #anchor = $state.raw<{ plant: number; wall: number } | null>(null);
  #stopping: AbortController | null = null;
  #attempt: AbortController | null = null;
  /** Wall milliseconds of the last progress of the present attempt. */
  #progress = 0;
  readonly #listeners = new Set<Listener>();

  /** Wall milliseconds without any byte from the server. */
  readonly silent = $derived(this.heardAt === null ? 0 : Math.max(0, this.wallNow - this.heardAt));
  readonly lost = $derived(
    this.connection === 'offline' || (this.connection !== 'connecting' && this.silent > SILENCE_MS),
  );
  /** Why nothing on the screen can be taken as live; null while it can. */
  readonly blind = $derived.by(() => {
    if (this.lost) return 'The connection to the server is lost.';
    if (this.status && this.status.feed !== 'live')
      return this.status.feed_reason ?? `The feed is ${this.status.feed}.`;
    if (this.state && !this.state.known)
      return this.state.reason ?? 'The server does not know the state of the plant.';
    return null;
  });
  /** Milliseconds on the plant's clock. Between two readings it runs with the wall clock, so that ages grow in a silence. */
  readonly plantNow = $derived(
    this.#anchor && this.#anchor.plant + Math.max(0, this.wallNow - this.#anchor.wall),
  );

  /** What is said of the interval that ends now, where nothing closed is newer. */
  readonly provisional = $derived.by(() => {
    const [open, closed] = [
      this.#provisional?.assessment.known_at,
      this.latest?.assessment.known_at,
    ];
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

  /** Hear of every assessed interval (`again`: one that was assessed before); returns how to stop. */
  onAssessment(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stay connected until stopped. */
  start(): () => void {
    const stopping = (this.#stopping = new AbortController());
    const tick = () => this.tick();
    const ticking = setInterval(tick, TICK_MS);
    // A browser slows the timers of a hidden page down: look at once when the page is seen again.
    document.addEventListener('visibilitychange', tick);
    void this.#run(stopping.signal);
    return () => {
      stopping.abort();
      this.#attempt?.abort();
      clearInterval(ticking);
      document.removeEventListener('visibilitychange', tick);
    };
  }

  /** Time went on: give up a connection on which nothing has come for too long. */
  tick(): void {
    this.wallNow = this.clock.now();
    if (this.wallNow - this.#progress > SILENCE_MS) this.#attempt?.abort();
  }

  /** Try again at once, not after the wait. */
  retry(): void {
    this.#stopping?.signal.dispatchEvent(new Event('retry'));
  }

  hear({ event, data }: Told): void {
    if (event === 'reading') this.#read(JSON.parse(data) as Live);
    if (event === 'status') this.#report(JSON.parse(data) as FeedStatus);
    if (event === 'state') this.state = JSON.parse(data) as PlantState;
    if (event === 'assessment') this.#add(JSON.parse(data) as PlantAssessment);
    if (event === 'provisional') this.#provisional = JSON.parse(data) as PlantAssessment;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const lasted = await this.#connect();
      if (signal.aborted) return;
      if (lasted > STEADY_MS) this.attempts = 0;
      this.connection = this.attempts === 0 && lasted > 0 ? 'reconnecting' : 'offline';
      const longest = Math.min(
        LONGEST_WAIT_MS,
        FIRST_WAIT_MS * 2 ** Math.max(0, this.attempts - 1),
      );
      if (this.attempts++ || !lasted)
        await this.clock.wait(longest * (0.5 + Math.random() / 2), signal);
    }
  }

  /** Stay connected as long as something comes; the milliseconds that it lasted, 0 where there was no connection. */
  async #connect(): Promise<number> {
    const attempt = (this.#attempt = new AbortController());
    this.#progress = this.clock.now();
    let begin: number | null = null;
    try {
      const stream = await unless(attempt.signal, this.#open(attempt.signal));
      this.#catchUp(await unless(attempt.signal, this.#overview(attempt.signal)));
      begin = this.clock.now();
      this.#alive();
      this.connection = 'live';
      await readEvents(
        stream,
        (told) => this.hear(told),
        () => this.#alive(),
        attempt.signal,
      );
    } catch {
      // Whatever it was, the next attempt follows; the screen shows that the connection is lost.
    }
    attempt.abort();
    return begin === null ? 0 : Math.max(1, this.clock.now() - begin);
  }

  async #open(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const { response } = await this.session.api.GET('/stream', { parseAs: 'stream', signal });
    if (!response.ok || !response.body) throw new Error(`stream: ${response.status}`);
    return response.body;
  }

  #overview(signal: AbortSignal): Promise<Overview> {
    return answer(
      this.session.api.GET('/overview', { params: { query: { n: KEPT } }, signal }),
    ) as Promise<Overview>;
  }

  #catchUp(seen: Overview): void {
    this.latest = seen.latest;
    this.past = seen.past;
    this.#provisional = seen.provisional ?? null;
    this.#mark(this.latest?.assessment.known_at);
    this.#report(seen.status);
    if (seen.state) this.state = seen.state;
  }

  #alive(): void {
    this.#progress = this.heardAt = this.wallNow = this.clock.now();
  }

  #read(live: Live): void {
    const stamp = live.reading.timestamp;
    // A simulation that was started again goes back: its readings are then the plant's clock all the same.
    if (stamp && stamp !== this.reading?.reading.timestamp)
      this.#anchor = { plant: Date.parse(stamp), wall: this.clock.now() };
    this.reading = live;
    this.readAt = this.clock.now();
  }

  #report(status: FeedStatus): void {
    this.status = status;
    this.#mark(status.plant_time);
  }

  /** The plant's clock has reached an instant. */
  #mark(stamp: string | null | undefined): void {
    const plant = stamp ? Date.parse(stamp) : null;
    if (plant !== null && (!this.#anchor || plant > this.#anchor.plant))
      this.#anchor = { plant, wall: this.clock.now() };
  }

  /** A new interval, or one that was assessed again: it then takes the place of the old one. */
  #add(told: PlantAssessment): void {
    const added = summaryOf(told);
    const start = Date.parse(added.timestamp);
    const others = this.past.filter((one) => Date.parse(one.timestamp) !== start);
    const again = others.length < this.past.length;
    const newer = others.some((one) => Date.parse(one.timestamp) > start);
    this.past = [...others, added]
      .sort((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp))
      .slice(-KEPT);
    if (!newer) this.latest = told;
    this.#mark(told.assessment.known_at);
    this.#listeners.forEach((listener) => listener(told, again));
  }
}

/** The result of `asked`, unless the signal comes first. */
function unless<T>(signal: AbortSignal, asked: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = () => reject(new Error('given up'));
    if (signal.aborted) give();
    signal.addEventListener('abort', give);
    asked.then(resolve, reject).finally(() => signal.removeEventListener('abort', give));
  });
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
