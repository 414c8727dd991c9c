import { expect, test } from 'vitest';
import { json, refused, served, stateOf, STATUS, TAGS, told } from './fixtures';
import { KEPT, LivePlant, pastSeconds, SILENCE_MS } from './live.svelte';
import { Session } from './session.svelte';

const live = (table = {}) => {
  const clock = { wall: 0, waits: [] as number[] };
  const plant = new LivePlant(new Session(served(table).send, 'http://screen.test'), {
    now: () => clock.wall,
    wait: (ms) => new Promise((resolve) => (clock.waits.push(ms), setTimeout(resolve))),
  });
  return { plant, clock };
};
const say = (plant: LivePlant, event: string, body: unknown) =>
  plant.hear({ event, data: JSON.stringify(body) });
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
  ['never heard', {}, {}, '--', 'missing'],
  ['just not stale', { p1: 5 }, { p1: 600 }, '5.00', 'good'],
  ['stale', { p1: 5 }, { p1: 601 }, '--', 'stale'],
  ['above what it can say', { p1: 11 }, { p1: 0 }, '11.00', 'out_of_range'],
  ['below what it can say', { p1: -1 }, { p1: 0 }, '−1.00', 'out_of_range'],
])('an instrument that is %s', (_, values, ages, shown, quality) => {
  const { plant } = live();
  say(plant, 'reading', reading('2026-06-01T12:00:00Z', values, ages));
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ shown, quality });
});

test('an instrument ages while the plant goes on and it says nothing', () => {
  const { plant } = live();
  say(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 30 }));
  say(plant, 'status', { ...STATUS, plant_time: '2026-06-01T12:05:00Z' });
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ age: 330, quality: 'good' });
  say(plant, 'status', { ...STATUS, plant_time: '2026-06-01T12:10:00Z' });
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ age: 630, quality: 'stale', shown: '--' });
});

test('what the server says of an instrument is heard', () => {
  const { plant } = live();
  const quality = [{ key: 'p1', status: 'flat' as const, value: 5, age_seconds: 0 }];
  say(plant, 'assessment', told('2026-06-01T12:00:00Z', { quality }));
  say(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 0 }));
  expect(plant.instrument(TAGS[0]!).quality).toBe('flat');
});

test('an instrument ages by the clock on the wall while nothing at all is heard', () => {
  const { plant, clock } = live();
  clock.wall = 1_000;
  say(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 30 }));
  clock.wall = 571_000;
  plant.tick();
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ age: 600, quality: 'good' });
  say(plant, 'status', STATUS);
  clock.wall = 572_000;
  plant.tick();
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ age: 601, quality: 'stale', shown: '--' });
});

test('the clock of a simulation that was started again is followed back', () => {
  const { plant } = live();
  say(plant, 'reading', reading('2026-06-01T12:00:00Z', {}));
  say(plant, 'reading', reading('2026-01-01T00:00:00Z', {}));
  expect(plant.plantNow).toBe(Date.parse('2026-01-01T00:00:00Z'));
});

test('a feed that is down or stale leaves no value on the screen, and its age runs on', () => {
  const { plant, clock } = live();
  say(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 0 }));
  say(plant, 'state', stateOf());
  expect(plant.blind).toBeNull();
  for (const feed of ['down', 'stale'] as const) {
    say(plant, 'status', { ...STATUS, feed, feed_reason: 'no route' });
    clock.wall += 5_000;
    plant.tick();
    expect(plant.blind).toBe('no route');
    expect(plant.instrument(TAGS[0]!)).toMatchObject({
      shown: '--',
      value: null,
      quality: 'no feed',
      age: clock.wall / 1000,
    });
  }
});

test('a state that the server does not know leaves no value either', () => {
  const { plant } = live();
  say(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 0 }));
  say(plant, 'state', stateOf({ known: false, reason: 'No reading since 12:00.' }));
  expect(plant.blind).toBe('No reading since 12:00.');
  expect(plant.instrument(TAGS[0]!).shown).toBe('--');
});

const overview = () =>
  json({ latest: told('2026-06-01T12:00:00Z'), past: [], status: STATUS, state: stateOf() });

test('connected, silence longer than the limit counts as loss, and another connection is tried', async () => {
  const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  const stream = () =>
    new Response(new ReadableStream({ start: (controller) => void streams.push(controller) }));
  const { plant, clock } = live({ 'GET /stream': stream, 'GET /overview': overview });
  clock.wall = 1000;
  const stop = plant.start();
  await expect.poll(() => plant.connection).toBe('live');
  clock.wall = 1000 + SILENCE_MS;
  plant.tick();
  expect(plant.lost).toBe(false);
  streams[0]!.enqueue(new TextEncoder().encode(': still here\n\n'));
  await expect.poll(() => plant.heardAt).toBe(1000 + SILENCE_MS);
  clock.wall = 1001 + 2 * SILENCE_MS;
  plant.tick();
  expect(plant.lost).toBe(true);
  expect(plant.blind).toBe('The connection to the server is lost.');
  await expect.poll(() => streams.length).toBe(2);
  await expect.poll(() => plant.connection).toBe('live');
  expect(plant.lost).toBe(false);
  stop();
});

test('a server that accepts the connection and then says nothing is given up', async () => {
  let asked = 0;
  const hung = () => (asked++, new Promise<Response>(() => undefined));
  const { plant, clock } = live({ 'GET /stream': hung });
  const stop = plant.start();
  await expect.poll(() => asked).toBe(1);
  clock.wall = SILENCE_MS + 1;
  plant.tick();
  await expect.poll(() => plant.connection).toBe('offline');
  await expect.poll(() => asked).toBe(2);
  expect(plant.lost).toBe(true);
  stop();
});

test('a stream that ends with its token is not called live while it is opened again, nor is it called lost', async () => {
  let answers: ((response: Response) => void)[] = [];
  const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
  const open = () =>
    new Response(new ReadableStream({ start: (controller) => void streams.push(controller) }));
  const table = {
    'GET /stream': () => new Promise<Response>((give) => answers.push(give)),
    'GET /overview': overview,
  };
  const { plant, clock } = live(table);
  const stop = plant.start();
  await expect.poll(() => answers.length).toBe(1);
  answers[0]!(open());
  await expect.poll(() => plant.connection).toBe('live');
  clock.wall = 20_000;
  streams[0]!.enqueue(new TextEncoder().encode(':\n\n'));
  await expect.poll(() => plant.heardAt).toBe(20_000);
  streams[0]!.close();
  await expect.poll(() => plant.connection).toBe('reconnecting');
  expect(plant.lost).toBe(false);
  await expect.poll(() => answers.length).toBe(2);
  expect(clock.waits).toEqual([]);
  answers[1]!(refused(503, 'no'));
  await expect.poll(() => plant.connection).toBe('offline');
  expect(plant.lost).toBe(true);
  answers = [];
  stop();
});

test('the past that is drawn fits the cadence', () => {
  expect(pastSeconds(3600)).toBe(48 * 3600);
  expect(pastSeconds(60)).toBe(KEPT * 60);
});

test('a refused stream is tried again, ever more slowly, half a minute at most', async () => {
  const { plant, clock } = live({ 'GET /stream': () => refused(503, 'no') });
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

test('what is said between two hours is kept beside the closed interval until the next one is closed', () => {
  const { plant } = live();
  say(plant, 'assessment', told('2026-06-01T12:00:00Z'));
  expect(plant.provisional).toBeNull();
  say(plant, 'provisional', told('2026-06-01T12:15:00Z', {}, [3]));
  expect(plant.provisional?.warnings.some((one) => one.standing)).toBe(true);
  expect(plant.past).toHaveLength(1);
  say(plant, 'assessment', told('2026-06-01T13:00:00Z'));
  expect(plant.provisional).toBeNull();
});

test('an interval that is assessed again replaces what was said of it, in its place', () => {
  const { plant } = live();
  const heard: [string | null, boolean][] = [];
  const stop = plant.onAssessment((one, again) => heard.push([one.assessment.known_at, again]));
  ['12', '13'].forEach((hour) => say(plant, 'assessment', told(`2026-06-01T${hour}:00:00Z`)));
  say(plant, 'assessment', told('2026-06-01T13:00:00Z', { n_intervals: 1 }, [3]));
  say(plant, 'assessment', told('2026-06-01T12:00:00Z', { n_intervals: 2 }));
  say(plant, 'assessment', told('2026-06-01T11:00:00Z'));
  stop();
  say(plant, 'assessment', told('2026-06-01T14:00:00Z'));
  expect(heard.map(([end, again]) => [end?.slice(11, 13), again])).toEqual([
    ['12', false],
    ['13', false],
    ['13', true],
    ['12', true],
    ['11', false],
  ]);
  expect(plant.past.map((one) => one.timestamp.slice(11, 13))).toEqual(['10', '11', '12', '13']);
});

test('of an interval that is assessed again the newest answer counts, in the charts and as the latest', () => {
  const { plant } = live();
  const scored = (hour: number, score: number, standing: number[] = []) => {
    const one = told(`2026-06-01T${hour}:00:00Z`, {}, standing);
    one.assessment.models[0]!.score = score;
    say(plant, 'assessment', one);
  };
  scored(12, 0.1);
  scored(13, 0.2);
  scored(13, 0.9, [3]);
  scored(12, 0.3);
  expect(plant.past.map((one) => one.scores.forecast_3h)).toEqual([0.3, 0.9]);
  expect(plant.latest?.assessment.models[0]?.score).toBe(0.9);
  expect(plant.latest?.warnings.some((one) => one.standing)).toBe(true);
});
