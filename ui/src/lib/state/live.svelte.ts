import { bodyOf } from '../api/problem';
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
import { summaryOf } from './interval-summary';
import type { Session } from './session.svelte';
import { readEvents, type ServerEvent } from './stream';

/** Intervals kept for the charts: as many as the first request returns. */
export const INTERVALS_KEPT = 48;
/**
 * The server sends at least a comment every three seconds. After a longer silence than this, the
 * connection is lost.
 */
export const SILENCE_MS = 8_000;
/** After a connection that lasted this long, the first new attempt starts at once. */
const STABLE_MS = 10_000;
/** The longest past that sparklines and charts show. */
const PAST_SECONDS = 48 * 3600;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const TICK_MS = 1_000;

/** The past that is kept at a cadence: two days, or INTERVALS_KEPT intervals if that is shorter. */
export function pastSeconds(cadence: number): number {
  return Math.min(PAST_SECONDS, INTERVALS_KEPT * cadence);
}

type Clock = { now: () => number; wait: (ms: number, signal: AbortSignal) => Promise<void> };
type Listener = (assessment: PlantAssessment, repeated: boolean) => void;
type ByteStream = ReadableStream<Uint8Array>;

/**
 * The plant as it is now: its readings, state and assessments, and whether they are live.
 *
 * `connection` is `reconnecting` while the first new attempt after a good connection is under way:
 * the server ends each stream when its access token expires.
 */
export class LivePlant {
  reading = $state.raw<Live | null>(null);
  /** The assessment of the newest closed interval. */
  latest = $state.raw<PlantAssessment | null>(null);
  /** Summaries of the closed intervals, oldest first; the last one is that of `latest`. */
  past = $state.raw<IntervalSummary[]>([]);
  status = $state.raw<FeedStatus | null>(null);
  /** The state of the plant. Every part of the screen shows this one. */
  state = $state.raw<PlantState | null>(null);
  connection = $state<'connecting' | 'live' | 'reconnecting' | 'offline'>('connecting');
  /** Attempts to connect since the last good connection. */
  attempts = $state(0);
  /** The wall clock, in milliseconds. */
  wallNow = $state(0);
  /** When the server last sent anything, on the wall clock; null before that. */
  lastByteAt = $state<number | null>(null);
  /** When the last reading arrived, on the wall clock. */
  lastReadingAt = $state<number | null>(null);
  #provisional = $state.raw<PlantAssessment | null>(null);
  /** The newest known time of the plant's clock, and the wall clock at which it arrived. */
  #anchor = $state.raw<{ plant: number; wall: number } | null>(null);
  #running: AbortController | null = null;
  #attempt: AbortController | null = null;
  /** When the current attempt last made progress, on the wall clock. */
  #progressAt = 0;
  readonly #listeners = new Set<Listener>();

  /** Milliseconds since the server last sent anything. */
  readonly silenceMs = $derived(
    this.lastByteAt === null ? 0 : Math.max(0, this.wallNow - this.lastByteAt),
  );
  readonly lost = $derived(
    this.connection === 'offline' ||
      (this.connection !== 'connecting' && this.silenceMs > SILENCE_MS),
  );
  /** Why the values on the screen are not live; null while they are. */
  readonly notLiveReason = $derived.by(() => {
    const { status, state } = this;
    if (this.lost) return 'The connection to the server is lost.';
    if (status && status.feed !== 'live')
      return status.feed_reason ?? `The feed is ${status.feed}.`;
    if (state && !state.known)
      return state.reason ?? 'The server does not know the state of the plant.';
    return null;
  });
  /**
   * The plant's clock, in milliseconds. Between two readings it advances with the wall clock, so
   * that the ages of values increase while nothing arrives.
   */
  readonly plantNow = $derived(
    this.#anchor && this.#anchor.plant + Math.max(0, this.wallNow - this.#anchor.wall),
  );
  /** The assessment of the interval that is not closed yet, where it is newer than `latest`. */
  readonly provisional = $derived.by(() => {
    const provisionalTime = this.#provisional?.assessment.known_at;
    const closedTime = this.latest?.assessment.known_at;
    if (!provisionalTime) return null;
    const isNewer = !closedTime || Date.parse(provisionalTime) > Date.parse(closedTime);
    return isNewer ? this.#provisional : null;
  });

  constructor(
    private readonly session: Session,
    private readonly clock: Clock = { now: Date.now, wait },
  ) {
    this.wallNow = clock.now();
  }

  instrument(tag: PlantTag): Instrument {
    const qualities = this.latest?.assessment.quality ?? [];
    const { reading, plantNow, notLiveReason } = this;
    return readInstrument(tag, { reading, qualities, plantNow, live: notLiveReason === null });
  }

  /**
   * Call `listener` for every assessed interval; `repeated` is true where the interval had been
   * assessed before. Returns a function that removes the listener.
   */
  onAssessment(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Connect, and reconnect whenever the connection ends. Returns a function that disconnects. */
  start(): () => void {
    const running = (this.#running = new AbortController());
    const tick = () => this.tick();
    const timer = setInterval(tick, TICK_MS);
    // Browsers slow down the timers of a hidden page: check as soon as it is visible again.
    document.addEventListener('visibilitychange', tick);
    void this.#run(running.signal);
    return () => {
      running.abort();
      this.#attempt?.abort();
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }

  /** Update the clock, and abort an attempt that has made no progress for too long. */
  tick(): void {
    this.wallNow = this.clock.now();
    if (this.wallNow - this.#progressAt > SILENCE_MS) this.#attempt?.abort();
  }

  /** Try to connect now instead of after the waiting time. */
  retry(): void {
    this.#running?.signal.dispatchEvent(new Event('retry'));
  }

  receive({ name, data }: ServerEvent): void {
    if (name === 'reading') this.#setReading(JSON.parse(data) as Live);
    if (name === 'status') this.#setStatus(JSON.parse(data) as FeedStatus);
    if (name === 'state') this.state = JSON.parse(data) as PlantState;
    if (name === 'assessment') this.#addAssessment(JSON.parse(data) as PlantAssessment);
    if (name === 'provisional') this.#provisional = JSON.parse(data) as PlantAssessment;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const lastedMs = await this.#connect();
      if (signal.aborted) return;
      if (lastedMs > STABLE_MS) this.attempts = 0;
      const wasConnected = lastedMs > 0;
      this.connection = this.attempts === 0 && wasConnected ? 'reconnecting' : 'offline';
      const waitMs = waitingTime(this.attempts);
      this.attempts++;
      if (this.connection === 'offline') await this.clock.wait(waitMs, signal);
    }
  }

  /** Connect until the server sends nothing more. Returns how long that was in ms; 0: never. */
  async #connect(): Promise<number> {
    const attempt = (this.#attempt = new AbortController());
    const { signal } = attempt;
    this.#progressAt = this.clock.now();
    let connectedAt: number | null = null;
    try {
      const stream = await unlessAborted(signal, this.#openStream(signal));
      this.#applyOverview(await unlessAborted(signal, this.#getOverview(signal)));
      connectedAt = this.clock.now();
      this.#noteProgress();
      this.connection = 'live';
      const onEvent = (event: ServerEvent) => this.receive(event);
      await readEvents(stream, { onEvent, onBytes: () => this.#noteProgress() }, signal);
    } catch {
      // The next attempt follows, whatever the error; the screen shows that the connection is lost.
    }
    attempt.abort();
    return connectedAt === null ? 0 : Math.max(1, this.clock.now() - connectedAt);
  }

  async #openStream(signal: AbortSignal): Promise<ByteStream> {
    const { api } = this.session;
    const { response } = await api.GET('/stream', { parseAs: 'stream', signal });
    if (!response.ok || !response.body) throw new Error(`stream: ${response.status}`);
    return response.body;
  }

  #getOverview(signal: AbortSignal): Promise<Overview> {
    const params = { query: { n: INTERVALS_KEPT } };
    return bodyOf(this.session.api.GET('/overview', { params, signal }));
  }

  #applyOverview({ latest, past, provisional, status, state }: Overview): void {
    this.latest = latest;
    this.past = past;
    this.#provisional = provisional ?? null;
    this.#advanceClock(latest?.assessment.known_at);
    this.#setStatus(status);
    if (state) this.state = state;
  }

  #noteProgress(): void {
    this.#progressAt = this.lastByteAt = this.wallNow = this.clock.now();
  }

  #setReading(live: Live): void {
    const timestamp = live.reading.timestamp;
    // A restarted simulation starts at an earlier time: the clock of the readings always counts.
    if (timestamp && timestamp !== this.reading?.reading.timestamp)
      this.#anchor = { plant: Date.parse(timestamp), wall: this.clock.now() };
    this.reading = live;
    this.lastReadingAt = this.clock.now();
  }

  #setStatus(status: FeedStatus): void {
    this.status = status;
    this.#advanceClock(status.plant_time);
  }

  /** The plant's clock has reached this time; it is ignored where the clock is already later. */
  #advanceClock(timestamp: string | null | undefined): void {
    const plant = timestamp ? Date.parse(timestamp) : null;
    if (plant !== null && (!this.#anchor || plant > this.#anchor.plant))
      this.#anchor = { plant, wall: this.clock.now() };
  }

  /** Add a new interval, or replace the earlier assessment of the same interval. */
  #addAssessment(assessment: PlantAssessment): void {
    const added = summaryOf(assessment);
    const start = startOf(added);
    const others = this.past.filter((summary) => startOf(summary) !== start);
    const repeated = others.length < this.past.length;
    const isNewest = others.every((summary) => startOf(summary) < start);
    const inOrder = [...others, added].sort((a, b) => startOf(a) - startOf(b));
    this.past = inOrder.slice(-INTERVALS_KEPT);
    if (isNewest) this.latest = assessment;
    this.#advanceClock(assessment.assessment.known_at);
    this.#listeners.forEach((listener) => listener(assessment, repeated));
  }
}

function startOf(summary: IntervalSummary): number {
  return Date.parse(summary.timestamp);
}

/** The time before the next attempt: it doubles with each failure, less a random part. */
function waitingTime(attempts: number): number {
  const doublings = Math.max(0, attempts - 1);
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** doublings);
  return longest * (0.5 + Math.random() / 2);
}

/** The result of `request`, or an error as soon as the signal aborts. */
function unlessAborted<T>(signal: AbortSignal, request: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error('aborted'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    request.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Wait some milliseconds; less where the signal aborts or sends `retry`. */
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
