import { expect, test } from '@playwright/test';
import type { PlantModel, PlantView } from '../src/lib/api/types';
import { logIn, PAGES, PATIENCE, startScenario, startUntilWarned, visit } from './operator';

/** Whether headline, instrument rows, risk card and event list name the same alarms at one time. */
function compareAlarms(): { agree: boolean; alarms: number } {
  const texts = (selector: string) =>
    [...document.querySelectorAll(selector)].map((element) => element.textContent?.trim() ?? '');
  const [headline = ''] = texts('[aria-label="State of the plant"] h2');
  const events = texts('[aria-labelledby="events"] li.active a').map((text) =>
    text.replace(/^[^:]+: /, ''),
  );
  const rows = texts('[aria-label="Instruments"] tr.alarm .value').filter((text) =>
    /In alarm: /.test(text),
  );
  const [card = ''] = texts('[aria-label="Risk now"]');
  const headlineAgrees = events.length > 0 && headline === `In alarm: ${events.join(', ')}`;
  const rowsAgree = rows.every((text) => events.some((title) => text.includes(title)));
  return {
    agree: headlineAgrees && rowsAgree && rows.length > 0 && card.includes('In alarm'),
    alarms: events.length,
  };
}

test('an engineer sees a warning before the alarm', async ({ page }) => {
  test.setTimeout(900_000);
  const state = page.getByRole('region', { name: 'State of the plant' });
  const forecast = page.getByRole('article', { name: 'Alarm within 3 h' });

  await test.step('log in and see the plant live', async () => {
    await logIn(page);
    const rows = page
      .getByRole('region', { name: 'Instruments' })
      .getByRole('row', { name: /good/ });
    await expect(rows.first()).toContainText(/\d/);
    await startScenario(page, 'Normal');
    await expect(state).toContainText('Normal', PATIENCE);
    await expect(forecast).toContainText('Below threshold', PATIENCE);
  });

  await test.step('the forecast rises over its threshold while no limit is exceeded', async () => {
    await startUntilWarned(page, forecast.filter({ hasText: 'Over threshold' }));
    await expect(state).not.toContainText('In alarm');
    await expect(state).toContainText(/Alarm (possible|likely|very likely) within \d h \(.*\d %\)/);
  });

  await test.step('save the forecast, find it in the history and explain it', async () => {
    const assess = page.getByRole('button', { name: 'Assess now' });
    const link = page.getByRole('link', { name: /^Entry \d+$/ });
    const detail = page.getByRole('dialog', { name: /^Entry \d+$/ });
    let name = '';
    // A simulated hour takes seconds, and the next forecast may be lower: repeat until one is saved
    // while the score is over its threshold.
    await expect(async () => {
      await page.getByRole('link', { name: 'Dashboard' }).click();
      await expect(forecast).toContainText('Over threshold', PATIENCE);
      await page.getByLabel('Horizon').selectOption('3h');
      await assess.click();
      await expect(assess).toBeEnabled();
      name = (await link.textContent()) ?? '';
      await link.click();
      await detail.getByRole('button', { name: 'Close' }).click();
      await expect(page.getByRole('row', { name: new RegExp(`${name}\\b`) })).toContainText(
        'over threshold',
        {
          timeout: 2_000,
        },
      );
    }).toPass(PATIENCE);
    await page
      .getByRole('row', { name: new RegExp(`${name}\\b`) })
      .getByRole('link', { name, exact: true })
      .click();
    await expect(detail).toContainText('Forecast from live data');
    await detail.getByRole('button', { name: 'Explain' }).click();
    await expect(
      detail.getByRole('region', { name: 'Contributions' }).getByRole('listitem').first(),
    ).toBeVisible();
    await detail.getByRole('button', { name: 'Close' }).click();
  });

  await test.step('the limit is exceeded, and the screen names it', async () => {
    await page.getByRole('link', { name: 'Dashboard' }).click();
    await expect(state).toContainText('In alarm', PATIENCE);
    await expect(state).toContainText(/limit \d+/);
    await expect
      .poll(() => page.evaluate(compareAlarms))
      .toEqual({ agree: true, alarms: expect.any(Number) });
  });

  await test.step('log out', async () => {
    await startScenario(page, 'Normal');
    await page.getByLabel(/^User menu/).click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible();
    await page.reload();
    await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible();
  });
});

test('the forecast page opens with live data and gives the score of the dashboard', async ({
  page,
}) => {
  await logIn(page);
  await page.goto('/#/forecast');
  const status = page.getByRole('status').filter({ hasText: /rows up to/ });
  await expect(status).toBeVisible();
  const forecastResponse = page.waitForResponse(/\/infer\/forecast/);
  const overviewResponse = page.waitForResponse(/\/overview/);
  await page.getByRole('button', { name: 'Forecast', exact: true }).click();
  const forecast = (await (await forecastResponse).json()) as {
    anomaly_probability: number;
    horizon_hours: number;
    known_at: string;
  };
  await page.reload();
  const { past } = (await (await overviewResponse).json()) as {
    past: { timestamp: string; scores: Record<string, number> }[];
  };
  const interval = past.find(
    ({ timestamp }) => Date.parse(timestamp) + 3_600_000 === Date.parse(forecast.known_at),
  );
  expect(interval?.scores[`forecast_${forecast.horizon_hours}h`]).toBe(
    forecast.anomaly_probability,
  );
});

test('a deletion can be undone, and a reload keeps the login', async ({ page }) => {
  await logIn(page);
  await visit(page, 'predict');
  await page.reload();
  await visit(page, 'history');
  const first = page.getByRole('link', { name: /^Entry \d+$/ }).first();
  const name = (await first.getAttribute('aria-label')) ?? '';
  await page.getByRole('button', { name: `Delete ${name.toLowerCase()}` }).click();
  await expect(page.getByRole('link', { name, exact: true })).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('link', { name, exact: true })).toBeVisible();
});

test('the dashboard fits one screen, and keyboard shortcuts work', async ({ page }) => {
  await logIn(page);
  await visit(page, 'dashboard');
  const fits = () =>
    document.documentElement.scrollHeight <= innerHeight &&
    document.documentElement.scrollWidth <= innerWidth;
  await expect.poll(() => page.evaluate(fits)).toBe(true);
  await page.keyboard.press('2');
  await expect(page).toHaveTitle(/Trends/);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toContainText(
    'Reset the zoom',
  );
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('no page is wider than its screen, from a phone to a wall', async ({ page }) => {
  await logIn(page);
  for (const name of [...PAGES].reverse()) {
    await visit(page, name);
    for (const width of [360, 600, 900, 1100, 2560]) {
      await page.setViewportSize({ width, height: 900 });
      const fits = () => document.documentElement.scrollWidth <= innerWidth;
      await expect.poll(() => page.evaluate(fits), `${name} at ${width}`).toBe(true);
    }
  }
});

/** Other plants, as changes of the description of the running one. */
const OTHER_PLANTS: Record<string, (plant: PlantView) => PlantView> = {
  '63 instruments': (plant) => ({
    ...plant,
    tags: plant.tags.flatMap((tag) => [
      tag,
      ...[1, 2, 3, 4, 5, 6].map((copy) => ({
        ...tag,
        key: `${tag.key}_${copy}`,
        tag: `${tag.tag}_${copy}`,
        setpoint: null,
        output: null,
      })),
    ]),
  }),
  'no horizons': (plant) => ({
    ...plant,
    horizons: [],
    horizons_hours: [],
    models: plant.models.filter((model) => model.horizon_hours === null),
  }),
  'no labelled alarms': (plant) => ({
    ...plant,
    models: plant.models.filter((model) => model.kind === 'anomaly'),
    predict_fields: [],
    predict_presets: [],
    forecast_presets: [],
  }),
  'horizons of minutes': (plant) => ({
    ...plant,
    cadence_seconds: 60,
    horizons: MINUTES.map((minutes) => `${minutes}min`),
    horizons_hours: MINUTES.map((minutes) => minutes / 60),
    models: withMinutes(plant.models),
  }),
};

const MINUTES = [10, 20, 30];

/** The models of a plant, with forecast models whose horizons are minutes. */
function withMinutes(models: PlantModel[]): PlantModel[] {
  const forecasters = models.filter((model) => model.horizon_hours !== null);
  const others = models.filter((model) => model.horizon_hours === null);
  const quick = MINUTES.flatMap((minutes, at) => {
    const horizon = `${minutes}min`;
    const label = `Alarm within ${minutes} min`;
    const model = forecasters[at];
    return model ? [{ ...model, horizon, horizon_hours: minutes / 60, label }] : [];
  });
  return [...others, ...quick];
}

/** A text of the dashboard that such a plant has. */
const DASHBOARD_TEXTS: Record<string, RegExp> = {
  '63 instruments': /Risk now/,
  'no horizons': /no forecast model: its description has no horizons/,
  'no labelled alarms': /no forecast model: it has no labelled alarms/,
  'horizons of minutes': /within 10 min.*within 20 min.*within 30 min/s,
};

for (const [name, other] of Object.entries(OTHER_PLANTS)) {
  test(`a plant with ${name} has its pages`, async ({ page }) => {
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.route('**/api/plant', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: other((await response.json()) as PlantView) });
    });
    await logIn(page);
    for (const path of ['dashboard', 'trends', 'predict', 'forecast', 'dashboard']) {
      await page.goto(`/#/${path}`);
      await expect(page.getByRole('heading', { level: 1 })).toBeAttached();
      for (const width of [360, 1366]) {
        await page.setViewportSize({ width, height: 768 });
        const fits = () => document.documentElement.scrollWidth <= innerWidth;
        await expect.poll(() => page.evaluate(fits), `${path} at ${width}`).toBe(true);
      }
    }
    const fits = () => document.documentElement.scrollHeight <= innerHeight;
    await expect.poll(() => page.evaluate(fits)).toBe(true);
    const shown = page.getByRole('region', { name: 'Instruments' }).locator('td.value');
    await expect(shown.first()).toContainText(/\d/);
    const scores = page.getByRole('region', { name: 'Risk and forecasts' });
    await expect(scores).toContainText(DASHBOARD_TEXTS[name] ?? '');
    expect(errors).toEqual([]);
  });
}

test('without the server, the screen reports it and shows no value as live', async ({
  page,
  context,
}) => {
  await logIn(page);
  await context.setOffline(true);
  await page.reload().catch(() => undefined);
  await context.setOffline(false);
  await page.goto('/');
  await expect(page.getByText('Feed live')).toBeVisible();
  await page.route('**/api/stream', (route) => route.abort());
  await page.route('**/api/overview*', (route) => route.abort());
  await page.reload();
  await expect(page.getByText('No connection to the server.')).toBeVisible();
  await expect(page.getByRole('region', { name: 'State of the plant' })).toContainText(
    'State unknown',
  );
});
