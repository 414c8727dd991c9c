import { expect, test } from 'vitest';
import { ForecastForm } from './forecast.svelte';
import { json, PLANT, served } from './fixtures';
import { PredictForm } from './predict.svelte';
import { Session } from './session.svelte';
import { fewInputs, verdictOf } from './wording';

const START = Date.parse('2026-06-01T00:00:00Z');
const ROWS = [0, 1, 2, 3].map((hour) => ({
  timestamp: new Date(START + hour * 3_600_000).toISOString(),
  segment: 0,
  p1: hour + 0.123456789,
  p1_max: hour + 0.5,
  l1: null,
}));

function forms() {
  const bodies: unknown[] = [];
  const forecast = async (request: Request) => {
    bodies.push(await request.json());
    return json({ anomaly_probability: 0.09, alarm: 1, n_observations: 4 });
  };
  const server = served({
    'GET /infer/window': () => json({ intervals: ROWS, count: ROWS.length }),
    'POST /infer/forecast': forecast,
    'POST /infer/explain': () => json({ contributions: [] }),
  });
  const { api } = new Session(server.send, 'http://screen.test');
  return {
    ...server,
    bodies,
    form: new ForecastForm(api, PLANT),
    predict: new PredictForm(api, PLANT.predict_fields),
  };
}

test('the forecast opens with the rows of the server, and sends every one of them back as it came', async () => {
  const { form, bodies } = forms();
  await form.open();
  expect(form.until).toBe(START + 4 * 3_600_000);
  expect(form.window.problem).toBeNull();
  await form.ask();
  expect(bodies).toEqual([1, 3].map((horizon) => ({ horizon, recent_observations: ROWS })));
});

test('what somebody entered while the rows were on their way is kept', async () => {
  const { form } = forms();
  const opening = form.open();
  form.window.set(0, 0, '5');
  await opening;
  expect(form.window.cells[0]).toEqual(['5', '']);
  expect(form.until).toBeNull();
});

test('an empty form is not sent, and says what is wanted', async () => {
  const { predict, asked } = forms();
  expect(predict.problem).toBe('Enter at least one value, or choose a preset.');
  predict.typed = { p1_max: '  ' };
  await predict.ask();
  expect(asked).toEqual([]);
  predict.typed = { p1_max: 'high' };
  expect(predict.problem).toBe('Highest pressure: not a number.');
  predict.typed = { p1_max: '8' };
  expect(predict.problem).toBeNull();
});

test.each([
  [{ given: 3, of: 142 }, true],
  [{ given: 140, of: 142 }, false],
  [undefined, false],
])('an answer with few of its inputs is marked: %j', (inputs, few) => {
  expect(fewInputs(inputs)).toBe(few);
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
])('%j in words', (verdict, words) => {
  expect(verdictOf(verdict)).toBe(words);
});
