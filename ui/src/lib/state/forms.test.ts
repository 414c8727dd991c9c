import { expect, test } from 'vitest';
import type { PlantView } from '../api/types';
import { AutoForecast } from './auto-forecast.svelte';
import { json, MINUTES_PLANT, PLANT, serverWith } from './fixtures';
import { ForecastForm } from './forecast-form.svelte';
import { forecastHorizons } from './horizon';
import { PredictForm } from './predict-form.svelte';
import { Session } from './session.svelte';
import { hasFewInputs, resultText } from './wording';

const START = Date.parse('2026-06-01T00:00:00Z');
const ROWS = [0, 1, 2, 3].map((hour) => ({
  timestamp: new Date(START + hour * 3_600_000).toISOString(),
  segment: 0,
  p1: hour + 0.123456789,
  p1_max: hour + 0.5,
  l1: null,
}));

function open(plant: PlantView = PLANT) {
  /** The bodies and the horizons of the requests for forecasts. */
  const bodies: unknown[] = [];
  const autoHorizons: (string | null)[] = [];
  const forecast = { anomaly_probability: 0.09, alarm: 1, n_observations: 4 };
  const server = serverWith({
    'GET /infer/window': () => json({ intervals: ROWS, count: ROWS.length }),
    'POST /infer/forecast': async (request) => {
      bodies.push(await request.json());
      return json(forecast);
    },
    'POST /infer/auto': (request) => {
      autoHorizons.push(new URL(request.url).searchParams.get('horizon'));
      return json(forecast);
    },
    'POST /infer/explain': () => json({ contributions: [] }),
  });
  const session = new Session(server.send, 'http://screen.test');
  return {
    ...server,
    bodies,
    autoHorizons,
    session,
    forecastForm: new ForecastForm(session.api, plant),
    predictForm: new PredictForm(session.api, plant.predict_fields),
  };
}

test('the forecast form opens with live data and sends its rows unchanged', async () => {
  const { forecastForm, bodies } = open();
  await forecastForm.open();
  expect(forecastForm.until).toBe(START + 4 * 3_600_000);
  expect(forecastForm.window.problem).toBeNull();
  await forecastForm.submit();
  const expected = ['1h', '3h'].map((horizon) => ({ horizon, recent_observations: ROWS }));
  expect(bodies).toEqual(expected);
});

test('a plant with horizons of minutes gets a forecast for each of them', async () => {
  const { forecastForm, bodies } = open(MINUTES_PLANT);
  await forecastForm.open();
  await forecastForm.submit();
  const horizons = bodies.map((body) => (body as { horizon: string }).horizon);
  expect(horizons).toEqual(['10min', '20min', '30min']);
  const shown = forecastForm.forecasts.map(({ forecast }) => forecast.value?.anomaly_probability);
  expect(shown).toEqual([0.09, 0.09, 0.09]);
});

test('values that a user enters while the rows are loading are kept', async () => {
  const { forecastForm } = open();
  const opening = forecastForm.open();
  forecastForm.window.set(0, 0, '5');
  await opening;
  expect(forecastForm.window.cells[0]).toEqual(['5', '']);
  expect(forecastForm.until).toBeNull();
});

test('an empty form is not sent, and states what is required', async () => {
  const { predictForm, requests } = open();
  expect(predictForm.problem).toBe('Enter at least one value, or choose a preset.');
  predictForm.texts = { p1_max: '  ' };
  await predictForm.submit();
  expect(requests).toEqual([]);
  predictForm.texts = { p1_max: 'high' };
  expect(predictForm.problem).toBe('Highest pressure: not a number.');
  predictForm.texts = { p1_max: '8' };
  expect(predictForm.problem).toBeNull();
});

test('a forecast from live data is for the chosen horizon, or for the shortest', async () => {
  localStorage.setItem('alarmstack.auto.horizon', '1h');
  const { session, autoHorizons } = open(MINUTES_PLANT);
  const live = { onAssessment: () => () => false };
  const horizons = forecastHorizons(MINUTES_PLANT.models);
  const auto = new AutoForecast(session, live, () => horizons);
  await auto.run();
  auto.choose('30min');
  await auto.run();
  await new AutoForecast(session, live, () => horizons).run();
  expect(autoHorizons).toEqual(['10min', '30min', '30min']);
  localStorage.clear();
});

test('a plant without forecast models requests no forecast', async () => {
  const { session, requests } = open();
  const auto = new AutoForecast(session, { onAssessment: () => () => false }, () => []);
  expect(await auto.run()).toBeNull();
  expect(requests).toEqual([]);
});

test.each([
  [{ given: 3, of: 142 }, true],
  [{ given: 140, of: 142 }, false],
  [undefined, false],
])('a result with few of its inputs is marked: %j', (inputs, few) => {
  expect(hasFewInputs(inputs)).toBe(few);
});

test.each([
  [{ score: 0.09, alarm: true, within: '3 h', inAlarm: false }, 'Alarm possible within 3 h (9 %).'],
  [{ score: 0.04, alarm: false, within: '3 h', inAlarm: false }, 'No warning within 3 h (4 %).'],
  [{ score: 0.97, alarm: true, within: null, inAlarm: false }, 'Model predicts alarm (97 %).'],
  [{ score: 0.02, alarm: false, within: null, inAlarm: false }, 'Model predicts no alarm (2 %).'],
  [
    { score: 0.9, alarm: true, within: '3 h', inAlarm: true },
    'In alarm at the last row: no forecast.',
  ],
])('the text of the result %j', (result, text) => {
  expect(resultText(result)).toBe(text);
});
