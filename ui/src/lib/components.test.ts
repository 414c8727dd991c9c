import { fireEvent, render, screen as page, within } from '@testing-library/svelte';
import type { Component } from 'svelte';
import { beforeEach, expect, test, vi } from 'vitest';
import AnalogBar from './dashboard/AnalogBar.svelte';
import EventPanel from './dashboard/EventPanel.svelte';
import FigureHead from './dashboard/FigureHead.svelte';
import Instruments from './dashboard/Instruments.svelte';
import StatePanel from './dashboard/StatePanel.svelte';
import DriftPanel from './models/DriftPanel.svelte';
import Contributions from './parts/Contributions.svelte';
import Toasts from './parts/Toasts.svelte';
import WithScreen from './parts/WithScreen.svelte';
import SessionExpired from './shell/SessionExpired.svelte';
import SimulationBanner from './shell/SimulationBanner.svelte';
import Sources from './shell/Sources.svelte';
import StatusNotes from './shell/StatusNotes.svelte';
import { inAlarm, json, PLANT, served, stateOf, STATUS, TAGS, told } from './state/fixtures';
import { Screen } from './state/screen.svelte';
import { Session } from './state/session.svelte';

const SCENARIOS = ['normal', 'pressure_rise'].map((name) => ({
  name,
  description: name,
  color: 'x',
  active: false,
}));
const DRAINED = {
  id: 1,
  rule: 'draining',
  key: 'l1',
  tag: 'L1',
  title: 'L1 below 10 %',
  limit: 10,
  unit: '%',
  peak: 4,
  begin: '2026-05-31T18:00:00Z',
  end: '2026-05-31T18:30:00Z',
  approximate: false,
};
let screen: Screen;
let asked: string[];

beforeEach(async () => {
  const server = served({
    'GET /plant': () => json(PLANT),
    'GET /events': () => json({ events: [DRAINED], page: 1, size: 100, total: 1 }),
    'GET /scenarios': () => json(SCENARIOS),
    'POST /scenarios/activate': () => json(SCENARIOS[1]),
  });
  asked = server.asked;
  screen = new Screen(new Session(server.send));
  await screen.loadPlant();
});

function show<Props extends Record<string, unknown>>(
  component: Component<Props>,
  props = {} as Props,
) {
  const shown = component as unknown as Component<Record<string, unknown>>;
  return render(WithScreen, { props: { screen, component: shown, props } });
}
const say = (event: string, body: unknown) =>
  screen.live.hear({ event, data: JSON.stringify(body) });
const reading = (values: object, ages: object) => ({
  reading: { timestamp: '2026-06-01T12:00:00Z', ...values },
  scenario: 'normal',
  scenario_description: 'As ever',
  scenario_color: 'green',
  ages,
});

test('every instrument shows value, unit, age and quality; a stale one shows -- and its age', () => {
  say('reading', reading({ p1: 8.5, l1: 50 }, { p1: 30, l1: 7200 }));
  say('state', inAlarm());
  show(Instruments);
  const row = (name: RegExp) => page.getByRole('row', { name });
  expect(row(/Pressure/)).toHaveTextContent(/8\.50\s*bar/);
  expect(row(/Pressure/)).toHaveTextContent(/30 s\s*good/);
  expect(row(/Pressure/)).toHaveTextContent('In alarm: P1 above 8 bar');
  expect(row(/Level/)).toHaveTextContent(/--\s*%/);
  expect(row(/Level/)).toHaveTextContent(/2 h\s*stale/);
});

test.each([
  [1, /below normal; range 0 to 10, normal 2 to 6, limit 8/],
  [4, /^normal;/],
  [9, /above normal/],
  [null, /no value/],
])('a bar at %j says where that is', (value, label) => {
  render(AnalogBar, { props: { tag: TAGS[0]!, value, setpoint: null } });
  expect(page.getByRole('img', { name: label })).toBeVisible();
});

test('a row is marked by the state alone: not by its value, and as long as the state lasts', async () => {
  show(Instruments);
  const row = () => page.getByRole('row', { name: /Pressure/ });
  say('reading', reading({ p1: 9.9 }, { p1: 0 }));
  say('state', stateOf());
  await expect.poll(() => row().textContent).toContain('9.90');
  expect(row()).not.toHaveTextContent('In alarm');
  say('reading', reading({ p1: 5 }, { p1: 0 }));
  say('state', inAlarm({ value: 5 }));
  await expect.poll(() => row().textContent).toContain('In alarm: P1 above 8 bar');
});

test('headline, row, card and event list show the one state', async () => {
  say('reading', reading({ p1: 8.4 }, { p1: 0 }));
  say('assessment', told('2026-06-01T12:00:00Z'));
  show(StatePanel);
  show(Instruments);
  show(EventPanel);
  const card = (index: number) => screen.figureOf(PLANT.models[index]!);
  const texts = () =>
    [
      page.getByRole('region', { name: 'State of the plant' }),
      page.getByRole('row', { name: /Pressure/ }),
      page.getByRole('region', { name: 'Alarms and events' }),
    ]
      .map((one) => one.textContent ?? '')
      .concat(card(0).stated ?? '', card(1).note)
      .map((text) => /In alarm|active since/.test(text));
  say('state', stateOf());
  await expect.poll(texts).toEqual([false, false, false, false, false]);
  say('state', inAlarm());
  await expect.poll(texts).toEqual([true, true, true, true, true]);
  say('state', stateOf());
  await expect.poll(texts).toEqual([false, false, false, false, false]);
});

test('an event names its rule, is dated by the state, and leads to its trend', async () => {
  say('state', inAlarm());
  show(EventPanel);
  const active = await page.findByRole('link', { name: 'Bursting: P1 above 8 bar' });
  expect(active).toHaveAttribute('href', '#/trends?tags=p1&from=2026-06-01T05%3A40%3A00.000Z');
  expect(active.closest('li')).toHaveTextContent('active since 06-01 13:40');
  const ended = await page.findByRole('link', { name: 'Draining: L1 below 10 %' });
  expect(ended.getAttribute('href')).toContain('tags=l1&from=2026-05-31T12');
  expect(ended.closest('li')).toHaveTextContent('05-31 20:00, 30 min');
});

test('the state panel says in words what its shape and number say', () => {
  say('assessment', told('2026-06-01T12:00:00Z'));
  say('state', stateOf({}, [3]));
  show(StatePanel);
  const panel = page.getByRole('region', { name: 'State of the plant' });
  expect(panel).toHaveTextContent('Alarm likely within 3 h (72 %)');
  expect(panel).toHaveTextContent('Since 2026-06-01 14:00 +02:00');
  expect(panel.querySelector('svg')).toHaveTextContent('2');
});

test('what is said between two hours is shown as of its time, beside the closed interval', async () => {
  say('assessment', told('2026-06-01T12:00:00Z'));
  say('state', stateOf());
  show(StatePanel);
  const panel = page.getByRole('region', { name: 'State of the plant' });
  expect(panel).not.toHaveTextContent('As of');
  say('provisional', told('2026-06-01T12:15:00Z', {}, [3]));
  await expect.poll(() => panel.textContent).toContain('As of 14:15');
  expect(panel).toHaveTextContent('Alarm likely within 3 h (72 %) (interval not closed yet)');
  expect(panel).toHaveTextContent('No limit exceeded. No active warning.');
});

test.each([
  ['without a feed', { ...STATUS, feed: 'stale', feed_reason: 'no reading for 10 s' }],
  ['without assessments', { ...STATUS, plant_time: '2026-06-01T16:00:00Z' }],
])('the card of a plant %s has no figure and no threshold', (_, status) => {
  say('assessment', told('2026-06-01T12:00:00Z'));
  say('state', stateOf());
  const [, model] = PLANT.models;
  const card = (figure = screen.figureOf(model!)) =>
    render(FigureHead, { props: { model: model!, figure } });
  expect(card().container).toHaveTextContent(/72 %.*Over threshold/);
  say('status', status);
  const without = card().container;
  expect(without).not.toHaveTextContent('threshold');
  expect(without).toHaveTextContent(/--.*No current figure. Last assessed/);
  expect(without).not.toHaveTextContent(/\d %/);
});

test('the header never says that the feed is live without a connection', async () => {
  say('status', STATUS);
  const { container } = show(Sources);
  expect(container).toHaveTextContent('Feed connecting');
  screen.live.connection = 'live';
  await expect.poll(() => container.textContent).toContain('Feed live');
  screen.live.connection = 'reconnecting';
  await expect.poll(() => container.textContent).toMatch(/Feed\s+reconnecting/);
  screen.live.connection = 'offline';
  await expect.poll(() => container.textContent).toMatch(/Feed\s+offline.*Models\s+unknown/s);
});

test('the notes state the real cause', async () => {
  say('assessment', told('2026-06-01T12:00:00Z'));
  say('state', stateOf());
  const down = [
    {
      name: 'assess',
      state: 'failed',
      reason: 'database is locked',
      since: '2026-06-01T13:20:00Z',
      restarts: 3,
    },
  ];
  const quarantine = { quarantined: 2, quarantine_reason: 'timestamp 0001-01-01 is out of bounds' };
  say('status', { ...STATUS, plant_time: '2026-06-01T14:00:00Z', down, ...quarantine });
  const { container } = show(StatusNotes);
  expect(container).toHaveTextContent('No assessment since 14:00: database is locked.');
  expect(container).toHaveTextContent(
    'Task “assess” failed. Database is locked. Since 15:20:00, 3 restarts.',
  );
  expect(container).toHaveTextContent(
    '2 feed rows rejected. Newest reason: Timestamp 0001-01-01 is out of bounds.',
  );
  screen.live.heardAt = Date.parse('2026-06-01T14:02:03Z');
  screen.live.connection = 'offline';
  await expect
    .poll(() => container.textContent)
    .toContain('Connection to the server lost at 16:02:03');
});

test.each([
  ['operator', 0],
  ['engineer', 2],
] as const)('the simulator is for engineers: %s', async (role, buttons) => {
  screen.session.person = { username: 'ada', role };
  say('reading', reading({}, {}));
  show(SimulationBanner);
  const banner = page.getByRole('region', { name: 'Simulation' });
  expect(banner).toHaveTextContent('SIMULATION');
  await expect.poll(() => within(banner).queryAllByRole('button').length).toBe(buttons);
  if (!buttons) return;
  await fireEvent.click(within(banner).getByRole('button', { name: 'Pressure rise' }));
  await expect.poll(() => asked).toContain('POST /scenarios/activate');
});

test('contributions say their direction to those who do not see the bars', () => {
  const text = 'Pressure, highest within 1 h: 7 bar';
  const one = { feature: 'p1_max', key: 'p1', value: 7, contribution: -0.5, text };
  show(Contributions as Component<Record<string, unknown>>, { contributions: [one] });
  expect(page.getByRole('listitem')).toHaveTextContent(
    /^Pressure, highest within 1 h: 7 bar\s*lowers the score by −0\.50$/,
  );
});

test('a session that ran out asks the same person to log in', () => {
  screen.session.person = { username: 'ada', role: 'operator' };
  show(SessionExpired);
  expect(page.getByLabelText('User name')).toHaveValue('ada');
  expect(page.getByLabelText('User name')).toHaveAttribute('readonly');
});

test('a notice goes by itself, but not while somebody is at it', async () => {
  vi.useFakeTimers();
  const run = vi.fn();
  show(Toasts);
  screen.notices.tell('Entry 1 is deleted.', { title: 'Undo', run });
  await vi.advanceTimersByTimeAsync(9_000);
  const undo = page.getByRole('button', { name: 'Undo' });
  await fireEvent.focusIn(undo);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(undo).toBeInTheDocument();
  await fireEvent.click(undo);
  expect(run).toHaveBeenCalledOnce();
  expect(page.queryByText('Entry 1 is deleted.')).toBeNull();
  vi.useRealTimers();
});

const DRIFT = {
  window: '168h',
  rows: 168,
  since: '2026-06-01T12:00:00Z',
  until: '2026-06-08T12:00:00Z',
  tags: [
    { key: 'p1', title: 'Pressure', psi: 1.2, bound: 0.4, state: 'drifted', recalibrated_at: null },
    {
      key: 'l1',
      title: 'Level',
      psi: null,
      bound: 0.3,
      state: 'learning',
      recalibrated_at: '2026-06-07T00:00:00Z',
    },
  ],
  models: [
    {
      key: 'forecast_3h',
      title: 'f3',
      psi: 0.1,
      bound: 0.3,
      state: 'usual',
      recalibrated_at: null,
    },
  ],
  nuisance: [],
  retrain: true,
  reasons: ['the scores of f3 have drifted'],
};

test.each([
  ['engineer', 2],
  ['operator', 0],
] as const)(
  'drift is told to all, and an instrument is recalibrated by engineers: %s',
  async (role, buttons) => {
    const server = served({
      'GET /plant': () => json(PLANT),
      'GET /drift': () => json(DRIFT),
      'POST /drift/recalibrated': () => json({ ...DRIFT, retrain: false, reasons: [] }),
    });
    screen = new Screen(new Session(server.send));
    await screen.loadPlant();
    screen.session.person = { username: 'ada', role };
    show(DriftPanel);
    expect(await page.findByText('the scores of f3 have drifted')).toBeVisible();
    expect(page.getByRole('row', { name: /Pressure/ })).toHaveTextContent('drifted');
    expect(page.getByRole('row', { name: /Level/ })).toHaveTextContent(
      'learning after recalibration',
    );
    const offered = page.queryAllByRole('button', { name: /^Record recalibration:/ });
    expect(offered).toHaveLength(buttons);
    if (!offered[0]) return;
    await fireEvent.click(offered[0]);
    await fireEvent.click(page.getByRole('button', { name: 'Record recalibration', hidden: true }));
    expect(await page.findByText(/No retraining needed/)).toBeVisible();
    expect(server.asked).toContain('POST /drift/recalibrated');
  },
);
