import { fireEvent, render, screen as page, within } from '@testing-library/svelte';
import type { Component } from 'svelte';
import { afterEach, expect, test } from 'vitest';
import type { PlantAssessment, PlantView } from '$lib/api/types';
import WithScreen from '$lib/parts/WithScreen.svelte';
import {
  assessmentAt,
  json,
  MINUTES_PLANT,
  NO_HORIZONS_PLANT,
  outputOf,
  PLANT,
  serverWith,
  stateWith,
  STATUS,
  UNLABELLED_PLANT,
  warningsOf,
} from '$lib/state/fixtures';
import { Screen } from '$lib/state/screen.svelte';
import { Session } from '$lib/state/session.svelte';
import DashboardPage from './DashboardPage.svelte';
import ForecastPage from './ForecastPage.svelte';
import HistoryPage from './HistoryPage.svelte';
import PredictPage from './PredictPage.svelte';

const NOON = '2026-06-01T12:00:00Z';
const ROWS = ['09', '10', '11'].map((hour) => ({ timestamp: `2026-06-01T${hour}:00:00Z`, p1: 5 }));
const FORECAST = {
  anomaly_probability: 0.09,
  alarm: 0,
  threshold: 0.4,
  n_observations: 3,
  in_alarm_now: false,
  known_at: NOON,
  missing: [],
  out_of_range: [],
  stale: [],
  model: { name: 'forecaster', version: '2', unpromoted: false },
  text: '',
  entry_id: 7,
};
const EXPLANATION = { contributions: [], base_value: 0, score_on_scale: 0, scale: 'log-odds' };
const ENTRY = {
  id: 7,
  type: 'forecast',
  created_at: NOON,
  plant_time: NOON,
  score: 0.09,
  alarm: 0,
  model: 'forecaster',
  model_version: '2',
  deleted: false,
  request: { recent_observations: ROWS },
  response: {},
};

/** Show a page of a plant. Returns the horizons and the filter times that it requests. */
async function open(component: Component, plant: PlantView, entry: object = {}) {
  const horizons: unknown[] = [];
  const times: (string | null)[] = [];
  const server = serverWith({
    'GET /plant': () => json(plant),
    'GET /events': () => json({ events: [], page: 1, size: 100, total: 0 }),
    'GET /infer/window': () => json({ intervals: ROWS, count: ROWS.length }),
    'GET /history': (request) => {
      times.push(new URL(request.url).searchParams.get('since'));
      return json({ entries: [{ ...ENTRY, ...entry }], page: 1, size: 50, total: 1 });
    },
    'POST /infer/forecast': async (request) => {
      const { horizon } = (await request.json()) as { horizon: unknown };
      horizons.push(horizon);
      return json({ ...FORECAST, horizon });
    },
    'POST /infer/explain': async (request) => {
      const { horizon } = (await request.json()) as { horizon: unknown };
      horizons.push(horizon);
      return json({ ...EXPLANATION, method: 'exact' });
    },
    'POST /infer/auto': (request) => {
      const horizon = new URL(request.url).searchParams.get('horizon');
      horizons.push(horizon);
      return json({ ...FORECAST, horizon });
    },
  });
  const screen = new Screen(new Session(server.send));
  await screen.loadPlant();
  render(WithScreen, {
    props: { screen, component: component as Component<Record<string, unknown>>, props: {} },
  });
  const receive = (name: string, body: unknown) =>
    screen.live.receive({ name, data: JSON.stringify(body) });
  return { horizons, times, receive, requests: server.requests };
}

/** The assessment of an interval by all models of a plant. */
function assessmentOf(plant: PlantView, activeHorizons: string[] = []): PlantAssessment {
  const models = plant.models.map((model) => outputOf(model, { score: 0.2 }));
  const warnings = warningsOf(plant, activeHorizons);
  return { ...assessmentAt(NOON, { models, drivers: [] }), warnings };
}

const cards = () =>
  within(page.getByRole('region', { name: 'Risk and forecasts' }))
    .queryAllByRole('article')
    .map((card) => card.getAttribute('aria-label'));

afterEach(() => {
  localStorage.clear();
  location.hash = '';
});

test.each([
  ['hours', PLANT, ['Risk now', 'Alarm within 1 h', 'Alarm within 3 h'], ['1 h', '3 h']],
  [
    'minutes',
    MINUTES_PLANT,
    ['Risk now', 'Alarm within 10 min', 'Alarm within 20 min', 'Alarm within 30 min'],
    ['10 min', '20 min', '30 min'],
  ],
])(
  'the dashboard has a card and a choice for each horizon of %s',
  async (_, plant, labels, texts) => {
    const { receive } = await open(DashboardPage, plant);
    receive('assessment', assessmentOf(plant));
    receive('state', stateWith({ warnings: warningsOf(plant) }));
    expect(cards()).toEqual(labels);
    const options = within(page.getByLabelText('Horizon')).getAllByRole('option');
    expect(options.map((option) => option.textContent)).toEqual(texts);
  },
);

test('headline, card and event state the minutes of a warning', async () => {
  const { receive } = await open(DashboardPage, MINUTES_PLANT);
  receive('assessment', assessmentOf(MINUTES_PLANT, ['20min']));
  receive('state', stateWith({ warnings: warningsOf(MINUTES_PLANT, ['20min']) }));
  const state = page.getByRole('region', { name: 'State of the plant' });
  await expect.poll(() => state.textContent).toContain('Alarm possible within 20 min (20 %)');
  const card = (name: string) => page.getByRole('article', { name });
  expect(card('Alarm within 20 min')).toHaveTextContent('Warning active');
  expect(card('Alarm within 10 min')).not.toHaveTextContent('Warning active');
  const events = page.getByRole('region', { name: 'Alarms and events' });
  expect(events).toHaveTextContent('Alarm possible within 20 min (20 %)');
});

test('a forecast from live data is for the chosen minutes', async () => {
  const { horizons } = await open(DashboardPage, MINUTES_PLANT);
  await fireEvent.change(page.getByLabelText('Horizon'), { target: { value: '20min' } });
  await fireEvent.click(page.getByRole('button', { name: 'Assess now' }));
  expect(await page.findByText(/Alarm within 20 min: 9 %/)).toBeVisible();
  expect(horizons).toEqual(['20min']);
});

test.each([
  ['horizons', NO_HORIZONS_PLANT, ['Risk now'], 'its description has no horizons', '20 %'],
  ['labels', UNLABELLED_PLANT, ['Distance from normal'], 'it has no labelled alarms', '0.2'],
])(
  'the dashboard of a plant without %s shows its models and states why it has no forecast',
  async (_, plant, labels, reason, score) => {
    const { receive } = await open(DashboardPage, plant);
    receive('status', STATUS);
    receive('assessment', assessmentOf(plant));
    receive('state', stateWith({ warnings: [] }));
    const scores = page.getByRole('region', { name: 'Risk and forecasts' });
    await expect.poll(() => scores.textContent).toContain('Below threshold');
    expect(cards()).toEqual(labels);
    expect(scores).toHaveTextContent(score);
    expect(scores).toHaveTextContent(`This plant has no forecast model: ${reason}.`);
    expect(page.getByRole('heading', { name: 'Normal' })).toBeVisible();
    expect(page.queryByRole('region', { name: 'My forecasts' })).toBeNull();
    expect(page.queryByRole('button', { name: 'Assess now' })).toBeNull();
  },
);

test('the forecast page has a result for each horizon of minutes', async () => {
  const { horizons } = await open(ForecastPage, MINUTES_PLANT);
  const submit = page.getByRole('button', { name: 'Forecast' });
  await expect.poll(() => submit.hasAttribute('disabled')).toBe(false);
  await fireEvent.click(submit);
  for (const within of ['10 min', '20 min', '30 min'])
    expect(await page.findByText(`No warning within ${within} (9 %).`)).toBeVisible();
  await expect.poll(() => horizons).toEqual(['10min', '20min', '30min', '30min']);
  const [first] = await page.findAllByRole('button', { name: 'Why?' });
  await fireEvent.click(first!);
  await expect.poll(() => horizons.at(-1)).toBe('10min');
});

test.each([
  [
    'forecast',
    ForecastPage,
    NO_HORIZONS_PLANT,
    'no forecast model: its description has no horizons',
  ],
  ['forecast', ForecastPage, UNLABELLED_PLANT, 'no forecast model: it has no labelled alarms'],
  ['predict', PredictPage, UNLABELLED_PLANT, 'no risk model: it has no labelled alarms'],
  ['predict', PredictPage, { ...PLANT, predict_fields: [] }, 'no input fields'],
])('the %s page states why it has no form', async (_, component, plant, reason) => {
  const { requests } = await open(component as Component, plant as PlantView);
  expect(page.getByText(new RegExp(`^This plant has ${reason}`))).toBeVisible();
  expect(page.queryAllByRole('button')).toEqual([]);
  expect(requests).toEqual(['GET /plant']);
});

test.each([
  ['minutes', { horizon: '10min', horizon_hours: 1 / 6 }, '10 min', '10min'],
  ['hours', { horizon: '3h', horizon_hours: 3 }, '3 h', '3h'],
])(
  'an entry whose horizon is in %s shows it, and is explained for it',
  async (_, entry, text, sent) => {
    location.hash = '#/history/7';
    const { horizons } = await open(HistoryPage, PLANT, entry);
    expect(
      await page.findByRole('cell', { name: `Forecast, ${text}`, hidden: true }),
    ).toBeVisible();
    await fireEvent.click(page.getByRole('button', { name: 'Explain', hidden: true }));
    await expect.poll(() => horizons).toEqual([sent]);
  },
);

test('a filter by time uses the 24-hour clock of the plant', async () => {
  const { times } = await open(HistoryPage, PLANT);
  const date = page.getByLabelText('Created from: date');
  const time = page.getByLabelText('Created from: time (24 h)');
  await fireEvent.input(date, { target: { value: '2026-06-01' } });
  await fireEvent.change(date);
  expect(time).toHaveValue('00:00');
  await fireEvent.input(time, { target: { value: '17:30' } });
  await fireEvent.change(time);
  await expect.poll(() => times.at(-1)).toBe('2026-06-01T15:30:00.000Z');
  await fireEvent.input(time, { target: { value: '5:30 PM' } });
  await fireEvent.change(time);
  expect(time).toHaveAttribute('aria-invalid', 'true');
  expect(times.at(-1)).toBe('2026-06-01T15:30:00.000Z');
});
