import { expect, test } from 'vitest';
import { assessmentAt, json, problem, serverWith, stateWith, STATUS, TAGS } from './fixtures';
import { INTERVALS_KEPT, LivePlant, pastSeconds, SILENCE_MS } from './live.svelte';
import { Session } from './session.svelte';

const connect = (routes = {}) => {
  const clock = { wall: 0, waits: [] as number[] };
  const plant = new LivePlant(new Session(serverWith(routes).send, 'http://screen.test'), {
    now: () => clock.wall,
    wait: (ms) => new Promise((resolve) => (clock.waits.push(ms), setTimeout(resolve))),
  });
  return { plant, clock };
};
const receive = (plant: LivePlant, name: string, body: unknown) =>
  plant.receive({ name, data: JSON.stringify(body) });
const reading = (
  at: string,
  values: Record<string, number | null>,
  ages: Record<string, number | null> = {},
) => ({
  reading: { timestamp: at, ...values },
  scenario: 'normal',
  scenario_description: '',
  scenario_color: '',
  ages,
});

test.each([
  ['fresh', { p1: 5.123 }, { p1: 60 }, '5.12', 'good'],
  ['missing', { p1: null }, { p1: 60 }, '--', 'missing'],
  ['without any reading', {}, {}, '--', 'missing'],
  ['just not stale', { p1: 5 }, { p1: 600 }, '5.00', 'good'],
  ['stale', { p1: 5 }, { p1: 601 }, '--', 'stale'],
  ['above its range', { p1: 11 }, { p1: 0 }, '11.00', 'out_of_range'],
  ['below its range', { p1: -1 }, { p1: 0 }, '−1.00', 'out_of_range'],
])('an instrument that is %s', (_, values, ages, text, quality) => {
  const { plant } = connect();
  receive(plant, 'reading', reading('2026-06-01T12:00:00Z', values, ages));
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ text, quality });
});

test('the age of a value increases with the clock of the plant while no reading arrives', () => {
  const { plant } = connect();
  receive(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 30 }));
  receive(plant, 'status', { ...STATUS, plant_time: '2026-06-01T12:05:00Z' });
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ age: 330, quality: 'good' });
  receive(plant, 'status', { ...STATUS, plant_time: '2026-06-01T12:10:00Z' });
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ age: 630, quality: 'stale', text: '--' });
});

test('the quality of an instrument is that of the assessment', () => {
  const { plant } = connect();
  const quality = [{ key: 'p1', status: 'flat' as const, value: 5, age_seconds: 0 }];
  receive(plant, 'assessment', assessmentAt('2026-06-01T12:00:00Z', { quality }));
  receive(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 0 }));
  expect(plant.instrument(TAGS[0]!).quality).toBe('flat');
});

test('the age of a value increases with the wall clock while nothing arrives', () => {
  const { plant, clock } = connect();
  clock.wall = 1_000;
  receive(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 30 }));
  clock.wall = 571_000;
  plant.tick();
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ age: 600, quality: 'good' });
  receive(plant, 'status', STATUS);
  clock.wall = 572_000;
  plant.tick();
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ age: 601, quality: 'stale', text: '--' });
});

test('the clock of the plant follows a restarted simulation back in time', () => {
  const { plant } = connect();
  receive(plant, 'reading', reading('2026-06-01T12:00:00Z', {}));
  receive(plant, 'reading', reading('2026-01-01T00:00:00Z', {}));
  expect(plant.plantNow).toBe(Date.parse('2026-01-01T00:00:00Z'));
});

test('while the feed is down or stale, no value is shown and its age increases', () => {
  const { plant, clock } = connect();
  receive(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 0 }));
  receive(plant, 'state', stateWith());
  expect(plant.notLiveReason).toBeNull();
  for (const feed of ['down', 'stale'] as const) {
    receive(plant, 'status', { ...STATUS, feed, feed_reason: 'no route' });
    clock.wall += 5_000;
    plant.tick();
    expect(plant.notLiveReason).toBe('no route');
    expect(plant.instrument(TAGS[0]!)).toMatchObject({
      text: '--',
      value: null,
      quality: 'no feed',
      age: clock.wall / 1000,
    });
  }
});

test('while the state is unknown, no value is shown', () => {
  const { plant } = connect();
  receive(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 0 }));
  receive(plant, 'state', stateWith({ known: false, reason: 'No reading since 12:00.' }));
  expect(plant.notLiveReason).toBe('No reading since 12:00.');
  expect(plant.instrument(TAGS[0]!).text).toBe('--');
});

const overview = () =>
  json({
    latest: assessmentAt('2026-06-01T12:00:00Z'),
    past: [],
    status: STATUS,
    state: stateWith(),
  });

test('a connection without data for too long is lost, and a new one is opened', async () => {
  const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  const stream = () =>
    new Response(new ReadableStream({ start: (controller) => void streams.push(controller) }));
  const { plant, clock } = connect({ 'GET /stream': stream, 'GET /overview': overview });
  clock.wall = 1000;
  const stop = plant.start();
  await expect.poll(() => plant.connection).toBe('live');
  clock.wall = 1000 + SILENCE_MS;
  plant.tick();
  expect(plant.lost).toBe(false);
  streams[0]!.enqueue(new TextEncoder().encode(': still here\n\n'));
  await expect.poll(() => plant.lastByteAt).toBe(1000 + SILENCE_MS);
  clock.wall = 1001 + 2 * SILENCE_MS;
  plant.tick();
  expect(plant.lost).toBe(true);
  expect(plant.notLiveReason).toBe('The connection to the server is lost.');
  await expect.poll(() => streams.length).toBe(2);
  await expect.poll(() => plant.connection).toBe('live');
  expect(plant.lost).toBe(false);
  stop();
});

test('an attempt is aborted when the server accepts the connection and sends nothing', async () => {
  let attempts = 0;
  const hung = () => (attempts++, new Promise<Response>(() => undefined));
  const { plant, clock } = connect({ 'GET /stream': hung });
  const stop = plant.start();
  await expect.poll(() => attempts).toBe(1);
  clock.wall = SILENCE_MS + 1;
  plant.tick();
  await expect.poll(() => plant.connection).toBe('offline');
  await expect.poll(() => attempts).toBe(2);
  expect(plant.lost).toBe(true);
  stop();
});

test('a stream that ends with its token is reconnecting: neither live nor lost', async () => {
  let responses: ((response: Response) => void)[] = [];
  const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  const open = () =>
    new Response(new ReadableStream({ start: (controller) => void streams.push(controller) }));
  const routes = {
    'GET /stream': () => new Promise<Response>((respond) => responses.push(respond)),
    'GET /overview': overview,
  };
  const { plant, clock } = connect(routes);
  const stop = plant.start();
  await expect.poll(() => responses.length).toBe(1);
  responses[0]!(open());
  await expect.poll(() => plant.connection).toBe('live');
  clock.wall = 20_000;
  streams[0]!.enqueue(new TextEncoder().encode(':\n\n'));
  await expect.poll(() => plant.lastByteAt).toBe(20_000);
  streams[0]!.close();
  await expect.poll(() => plant.connection).toBe('reconnecting');
  expect(plant.lost).toBe(false);
  await expect.poll(() => responses.length).toBe(2);
  expect(clock.waits).toEqual([]);
  responses[1]!(problem(503, 'no'));
  await expect.poll(() => plant.connection).toBe('offline');
  expect(plant.lost).toBe(true);
  responses = [];
  stop();
});

test('the past that charts show depends on the cadence', () => {
  expect(pastSeconds(3600)).toBe(48 * 3600);
  expect(pastSeconds(60)).toBe(INTERVALS_KEPT * 60);
});

test('after failures the time between attempts increases to at most half a minute', async () => {
  const { plant, clock } = connect({ 'GET /stream': () => problem(503, 'no') });
  const stop = plant.start();
  await expect.poll(() => clock.waits.length).toBeGreaterThan(12);
  stop();
  const [first, later] = [clock.waits[0]!, clock.waits[10]!];
  expect(first).toBeGreaterThanOrEqual(500);
  expect(first).toBeLessThanOrEqual(1000);
  expect(later).toBeGreaterThanOrEqual(15_000);
  expect(later).toBeLessThanOrEqual(30_000);
  expect(plant.connection).toBe('offline');
});

test('a provisional assessment is available until the next interval is closed', () => {
  const { plant } = connect();
  receive(plant, 'assessment', assessmentAt('2026-06-01T12:00:00Z'));
  expect(plant.provisional).toBeNull();
  receive(plant, 'provisional', assessmentAt('2026-06-01T12:15:00Z', {}, ['3h']));
  expect(plant.provisional?.warnings.some((warning) => warning.standing)).toBe(true);
  expect(plant.past).toHaveLength(1);
  receive(plant, 'assessment', assessmentAt('2026-06-01T13:00:00Z'));
  expect(plant.provisional).toBeNull();
});

test('a repeated assessment replaces the earlier one of its interval', () => {
  const { plant } = connect();
  const received: [string | null, boolean][] = [];
  const stop = plant.onAssessment(({ assessment }, repeated) =>
    received.push([assessment.known_at, repeated]),
  );
  ['12', '13'].forEach((hour) =>
    receive(plant, 'assessment', assessmentAt(`2026-06-01T${hour}:00:00Z`)),
  );
  receive(plant, 'assessment', assessmentAt('2026-06-01T13:00:00Z', { n_intervals: 1 }, ['3h']));
  receive(plant, 'assessment', assessmentAt('2026-06-01T12:00:00Z', { n_intervals: 2 }));
  receive(plant, 'assessment', assessmentAt('2026-06-01T11:00:00Z'));
  stop();
  receive(plant, 'assessment', assessmentAt('2026-06-01T14:00:00Z'));
  expect(received.map(([end, repeated]) => [end?.slice(11, 13), repeated])).toEqual([
    ['12', false],
    ['13', false],
    ['13', true],
    ['12', true],
    ['11', false],
  ]);
  expect(plant.past.map(({ timestamp }) => timestamp.slice(11, 13))).toEqual([
    '10',
    '11',
    '12',
    '13',
  ]);
});

test('a repeated assessment updates the charts and the latest assessment', () => {
  const { plant } = connect();
  const assess = (hour: number, score: number, activeHorizons: string[] = []) => {
    const assessment = assessmentAt(`2026-06-01T${hour}:00:00Z`, {}, activeHorizons);
    assessment.assessment.models[0]!.score = score;
    receive(plant, 'assessment', assessment);
  };
  assess(12, 0.1);
  assess(13, 0.2);
  assess(13, 0.9, ['3h']);
  assess(12, 0.3);
  expect(plant.past.map(({ scores }) => scores.forecast_3h)).toEqual([0.3, 0.9]);
  expect(plant.latest?.assessment.models[0]?.score).toBe(0.9);
  expect(plant.latest?.warnings.some((warning) => warning.standing)).toBe(true);
});
