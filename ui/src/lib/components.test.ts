import { fireEvent, render, screen as page, within } from '@testing-library/svelte';
import type { Component } from 'svelte';
import { beforeEach, expect, test, vi } from 'vitest';
import AnalogBar from './dashboard/AnalogBar.svelte';
import EventPanel from './dashboard/EventPanel.svelte';
import ScoreHead from './dashboard/ScoreHead.svelte';
import Instruments from './dashboard/Instruments.svelte';
import StatePanel from './dashboard/StatePanel.svelte';
import DriftPanel from './models/DriftPanel.svelte';
import Contributions from './parts/Contributions.svelte';
import Toasts from './parts/Toasts.svelte';
import WithScreen from './parts/WithScreen.svelte';
import SessionExpired from './shell/SessionExpired.svelte';
import SimulationBanner from './shell/SimulationBanner.svelte';
import ConnectionStatus from './shell/ConnectionStatus.svelte';
import StatusNotes from './shell/StatusNotes.svelte';
import {
  assessmentAt,
  json,
  PLANT,
  serverWith,
  stateInAlarm,
  stateWith,
  STATUS,
  TAGS,
} from './state/fixtures';
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
let requests: string[];

beforeEach(async () => {
  const server = serverWith({
    'GET /plant': () => json(PLANT),
    'GET /events': () => json({ events: [DRAINED], page: 1, size: 100, total: 1 }),
    'GET /scenarios': () => json(SCENARIOS),
    'POST /scenarios/activate': () => json(SCENARIOS[1]),
  });
  requests = server.requests;
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
const receive = (name: string, body: unknown) =>
  screen.live.receive({ name, data: JSON.stringify(body) });
const reading = (values: object, ages: object) => ({
  reading: { timestamp: '2026-06-01T12:00:00Z', ...values },
  scenario: 'normal',
  scenario_description: 'Normal operation',
  scenario_color: 'green',
  ages,
});

test('an instrument shows value, unit, age and quality; a stale one shows -- and its age', () => {
  receive('reading', reading({ p1: 8.5, l1: 50 }, { p1: 30, l1: 7200 }));
  receive('state', stateInAlarm());
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
])('the text alternative of a value %j', (value, label) => {
  render(AnalogBar, { props: { tag: TAGS[0]!, value, setpoint: null } });
  expect(page.getByRole('img', { name: label })).toBeVisible();
});

test('a row is marked while the state has an alarm, whatever its value', async () => {
  show(Instruments);
  const row = () => page.getByRole('row', { name: /Pressure/ });
  receive('reading', reading({ p1: 9.9 }, { p1: 0 }));
  receive('state', stateWith());
  await expect.poll(() => row().textContent).toContain('9.90');
  expect(row()).not.toHaveTextContent('In alarm');
  receive('reading', reading({ p1: 5 }, { p1: 0 }));
  receive('state', stateInAlarm({ value: 5 }));
  await expect.poll(() => row().textContent).toContain('In alarm: P1 above 8 bar');
});

test('headline, row, card and event list show the same state', async () => {
  receive('reading', reading({ p1: 8.4 }, { p1: 0 }));
  receive('assessment', assessmentAt('2026-06-01T12:00:00Z'));
  show(StatePanel);
  show(Instruments);
  show(EventPanel);
  const card = (index: number) => screen.scoreOf(PLANT.models[index]!);
  const texts = () =>
    [
      page.getByRole('region', { name: 'State of the plant' }),
      page.getByRole('row', { name: /Pressure/ }),
      page.getByRole('region', { name: 'Alarms and events' }),
    ]
      .map((element) => element.textContent ?? '')
      .concat(card(0).markText ?? '', card(1).note)
      .map((text) => /In alarm|active since/.test(text));
  receive('state', stateWith());
  await expect.poll(texts).toEqual([false, false, false, false, false]);
  receive('state', stateInAlarm());
  await expect.poll(texts).toEqual([true, true, true, true, true]);
  receive('state', stateWith());
  await expect.poll(texts).toEqual([false, false, false, false, false]);
});

test('an event has its rule, its time and a link to its trend', async () => {
  receive('state', stateInAlarm());
  show(EventPanel);
  const active = await page.findByRole('link', { name: 'Bursting: P1 above 8 bar' });
  expect(active).toHaveAttribute('href', '#/trends?tags=p1&from=2026-06-01T05%3A40%3A00.000Z');
  expect(active.closest('li')).toHaveTextContent('active since 06-01 13:40');
  const ended = await page.findByRole('link', { name: 'Draining: L1 below 10 %' });
  expect(ended.getAttribute('href')).toContain('tags=l1&from=2026-05-31T12');
  expect(ended.closest('li')).toHaveTextContent('05-31 20:00, 30 min');
});

test('the state panel states in words what its symbol means', () => {
  receive('assessment', assessmentAt('2026-06-01T12:00:00Z'));
  receive('state', stateWith({}, ['3h']));
  show(StatePanel);
  const panel = page.getByRole('region', { name: 'State of the plant' });
  expect(panel).toHaveTextContent('Alarm likely within 3 h (72 %)');
  expect(panel).toHaveTextContent('Since 2026-06-01 14:00 +02:00');
  expect(panel.querySelector('svg')).toHaveTextContent('2');
});

test('a provisional assessment is shown with its time, beside the closed interval', async () => {
  receive('assessment', assessmentAt('2026-06-01T12:00:00Z'));
  receive('state', stateWith());
  show(StatePanel);
  const panel = page.getByRole('region', { name: 'State of the plant' });
  expect(panel).not.toHaveTextContent('As of');
  receive('provisional', assessmentAt('2026-06-01T12:15:00Z', {}, ['3h']));
  await expect.poll(() => panel.textContent).toContain('As of 14:15');
  expect(panel).toHaveTextContent('Alarm likely within 3 h (72 %) (interval not closed yet)');
  expect(panel).toHaveTextContent('No limit exceeded. No active warning.');
});

test.each([
  ['without a feed', { ...STATUS, feed: 'stale', feed_reason: 'no reading for 10 s' }],
  ['without assessments', { ...STATUS, plant_time: '2026-06-01T16:00:00Z' }],
])('%s, a card has no score and no threshold', (_, status) => {
  receive('assessment', assessmentAt('2026-06-01T12:00:00Z'));
  receive('state', stateWith());
  const [, model] = PLANT.models;
  const card = (score = screen.scoreOf(model!)) =>
    render(ScoreHead, { props: { model: model!, score } });
  expect(card().container).toHaveTextContent(/72 %.*Over threshold/);
  receive('status', status);
  const without = card().container;
  expect(without).not.toHaveTextContent('threshold');
  expect(without).toHaveTextContent(/--.*No current score. Last assessed/);
  expect(without).not.toHaveTextContent(/\d %/);
});

test('without a connection the header does not say that the feed is live', async () => {
  receive('status', STATUS);
  const { container } = show(ConnectionStatus);
  expect(container).toHaveTextContent('Feed connecting');
  screen.live.connection = 'live';
  await expect.poll(() => container.textContent).toContain('Feed live');
  screen.live.connection = 'reconnecting';
  await expect.poll(() => container.textContent).toMatch(/Feed\s+reconnecting/);
  screen.live.connection = 'offline';
  await expect.poll(() => container.textContent).toMatch(/Feed\s+offline.*Models\s+unknown/s);
});

test('the notes state the reasons', async () => {
  receive('assessment', assessmentAt('2026-06-01T12:00:00Z'));
  receive('state', stateWith());
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
  receive('status', { ...STATUS, plant_time: '2026-06-01T14:00:00Z', down, ...quarantine });
  const { container } = show(StatusNotes);
  expect(container).toHaveTextContent('No assessment since 14:00: database is locked.');
  expect(container).toHaveTextContent(
    'Task “assess” failed. Database is locked. Since 15:20:00, 3 restarts.',
  );
  expect(container).toHaveTextContent(
    '2 feed rows rejected. Newest reason: Timestamp 0001-01-01 is out of bounds.',
  );
  screen.live.lastByteAt = Date.parse('2026-06-01T14:02:03Z');
  screen.live.connection = 'offline';
  await expect
    .poll(() => container.textContent)
    .toContain('Connection to the server lost at 16:02:03');
});

test.each([
  ['operator', 0],
  ['engineer', 2],
] as const)('the controls of the simulation are for engineers: %s', async (role, buttons) => {
  screen.session.person = { username: 'ada', role };
  receive('reading', reading({}, {}));
  show(SimulationBanner);
  const banner = page.getByRole('region', { name: 'Simulation' });
  expect(banner).toHaveTextContent('SIMULATION');
  await expect.poll(() => within(banner).queryAllByRole('button').length).toBe(buttons);
  if (!buttons) return;
  await fireEvent.click(within(banner).getByRole('button', { name: 'Pressure rise' }));
  await expect.poll(() => requests).toContain('POST /scenarios/activate');
});

test('contributions state their direction in words', () => {
  const text = 'Pressure, highest within 1 h: 7 bar';
  const contribution = { feature: 'p1_max', key: 'p1', value: 7, contribution: -0.5, text };
  show(Contributions as Component<Record<string, unknown>>, { contributions: [contribution] });
  expect(page.getByRole('listitem')).toHaveTextContent(
    /^Pressure, highest within 1 h: 7 bar\s*lowers the score by −0\.50$/,
  );
});

test('after a session has expired, the same user logs in again', () => {
  screen.session.person = { username: 'ada', role: 'operator' };
  show(SessionExpired);
  expect(page.getByLabelText('User name')).toHaveValue('ada');
  expect(page.getByLabelText('User name')).toHaveAttribute('readonly');
});

test('a notice closes by itself, but not while it has the focus', async () => {
  vi.useFakeTimers();
  const run = vi.fn();
  show(Toasts);
  screen.notices.show('Entry 1 deleted.', { title: 'Undo', run });
  await vi.advanceTimersByTimeAsync(9_000);
  const undo = page.getByRole('button', { name: 'Undo' });
  await fireEvent.focusIn(undo);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(undo).toBeInTheDocument();
  await fireEvent.click(undo);
  expect(run).toHaveBeenCalledOnce();
  expect(page.queryByText('Entry 1 deleted.')).toBeNull();
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
  'all users see drift, and engineers record recalibrations: %s',
  async (role, buttons) => {
    const server = serverWith({
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
    const recordButtons = page.queryAllByRole('button', { name: /^Record recalibration:/ });
    expect(recordButtons).toHaveLength(buttons);
    if (!recordButtons[0]) return;
    await fireEvent.click(recordButtons[0]);
    await fireEvent.click(page.getByRole('button', { name: 'Record recalibration', hidden: true }));
    expect(await page.findByText(/No retraining needed/)).toBeVisible();
    expect(server.requests).toContain('POST /drift/recalibrated');
  },
);
