import { expect, test } from 'vitest';
import { json, PLANT, refused, served, TAGS, told } from './fixtures';
import { LivePlant } from './live.svelte';
import { Session } from './session.svelte';
import { summaryOf } from './summary';

const STATUS = {
  feed: 'live',
  feed_reason: null,
  inference: 'ready',
  inference_reason: null,
  plant_time: '2026-06-01T12:00:00Z',
  server_time: '2026-06-01T12:00:00Z',
};
const live = (table = {}) => {
  const clock = { wall: 0, waits: [] as number[] };
  const plant = new LivePlant(new Session(served(table).send, 'http://screen.test'), {
    now: () => clock.wall,
    wait: (ms) => new Promise((resolve) => (clock.waits.push(ms), setTimeout(resolve))),
  });
  return { plant, clock };
};
const say = (plant: LivePlant, event: string, body: unknown) => plant.hear({ event, data: JSON.stringify(body) });
const reading = (at: string, values: Record<string, number | null>, ages: Record<string, number | null> = {}) => ({
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

test('a feed that is down leaves no value and no state on the screen', () => {
  const { plant } = live();
  say(plant, 'reading', reading('2026-06-01T12:00:00Z', { p1: 5 }, { p1: 0 }));
  say(plant, 'assessment', told('2026-06-01T12:00:00Z'));
  expect(plant.state(PLANT).kind).toBe('normal');
  say(plant, 'status', { ...STATUS, feed: 'down', feed_reason: 'no route' });
  expect(plant.instrument(TAGS[0]!)).toMatchObject({ shown: '--', quality: 'no feed' });
  expect(plant.state(PLANT)).toMatchObject({ kind: 'unknown', detail: 'no route' });
});

test('connected, silence counts as loss after 25 s; the plant is then not called normal', async () => {
  const open = new ReadableStream<Uint8Array>();
  const { plant, clock } = live({
    'GET /stream': () => new Response(open),
    'GET /overview': () =>
      json({ latest: told('2026-06-01T12:00:00Z'), past: [summaryOf(told('2026-06-01T12:00:00Z'))], status: STATUS }),
  });
  clock.wall = 1000;
  const stop = plant.start();
  await expect.poll(() => plant.connection).toBe('live');
  expect(plant.state(PLANT).kind).toBe('normal');
  plant.wallNow = 26_000;
  expect(plant.lost).toBe(false);
  plant.wallNow = 26_001;
  expect(plant.lost).toBe(true);
  expect(plant.state(PLANT).kind).toBe('unknown');
  stop();
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

test('what is said between two hours stands beside the closed interval until the next one is closed', () => {
  const { plant } = live();
  say(plant, 'assessment', told('2026-06-01T12:00:00Z'));
  expect(plant.provisionalState(PLANT)).toBeNull();
  say(plant, 'provisional', told('2026-06-01T12:15:00Z', {}, [3]));
  expect(plant.provisionalState(PLANT)?.kind).toBe('warning');
  expect(plant.state(PLANT).kind).toBe('normal');
  expect(plant.past).toHaveLength(1);
  say(plant, 'assessment', told('2026-06-01T13:00:00Z'));
  expect(plant.provisional).toBeNull();
});

test('an assessment told twice counts once, and listeners hear it once', () => {
  const { plant } = live();
  const heard: (string | null)[] = [];
  const stop = plant.onAssessment((one) => heard.push(one.assessment.known_at));
  ['12', '12', '13'].forEach((hour) => say(plant, 'assessment', told(`2026-06-01T${hour}:00:00Z`)));
  stop();
  say(plant, 'assessment', told('2026-06-01T14:00:00Z'));
  expect(heard).toEqual(['2026-06-01T12:00:00Z', '2026-06-01T13:00:00Z']);
  expect(plant.past).toHaveLength(3);
});

test('an hour that is assessed again takes the place of the old one, the newest hour and an earlier one alike', () => {
  const { plant } = live();
  const scored = (hour: number, score: number) => {
    const one = told(`2026-06-01T${hour}:00:00Z`);
    one.assessment.models[0]!.score = score;
    return one;
  };
  [scored(12, 0.1), scored(13, 0.2)].forEach((one) => say(plant, 'assessment', one));
  say(plant, 'assessment', scored(13, 0.8));
  expect(plant.latest?.assessment.models[0]?.score).toBe(0.8);
  say(plant, 'assessment', scored(12, 0.7));
  expect(plant.latest?.assessment.models[0]?.score).toBe(0.8);
  expect(plant.past.map((one) => one.scores['forecast_3h'])).toEqual([0.7, 0.8]);
});
