import { expect, type Locator, type Page } from '@playwright/test';

const USER = process.env.ALARMSTACK_UI_USER ?? 'engineer';
const PASSWORD = process.env.ALARMSTACK_UI_PASSWORD ?? 'engineer-password';

/** A simulated hour takes some seconds, and a scenario takes tens of hours. */
export const PATIENCE = { timeout: 240_000 };

export const PAGES = ['dashboard', 'trends', 'history', 'predict', 'forecast', 'models'];

/** Log in with the form, and wait until the feed is live. */
export async function logIn(page: Page): Promise<void> {
  await page.goto('/#/login');
  await page.getByLabel('User name').fill(USER);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByText('Feed live')).toBeVisible();
}

/** Open a page and wait for its main content. */
export async function visit(page: Page, name: string): Promise<void> {
  await page.goto(`/#/${name}`);
  if (name === 'dashboard')
    await expect(page.getByRole('img', { name: /^Risk now/ })).toBeVisible();
  if (name === 'trends') await expect(page.getByRole('region', { name: 'Charts' })).toBeVisible();
  if (name === 'history') await expect(page.getByRole('region', { name: 'Entries' })).toBeVisible();
  if (name === 'models')
    await expect(page.getByRole('heading', { name: 'Feature importance' })).toBeVisible();
  if (name === 'predict' || name === 'forecast')
    await submitPreset(page, name === 'predict' ? 'Predict' : 'Forecast');
}

/** Choose the second preset, submit the form, and wait for the explanation. */
async function submitPreset(page: Page, title: string): Promise<void> {
  const presets = page
    .getByRole('group', { name: 'Presets' })
    .getByRole('button')
    .and(page.locator(':not(.quiet):enabled'));
  await presets.nth(1).click();
  await page.getByRole('button', { name: title, exact: true }).click();
  await expect(page.getByText(/contributions\s+=/).first()).toBeVisible();
}

export async function startScenario(page: Page, scenario: string): Promise<void> {
  const button = page
    .getByRole('region', { name: 'Simulation' })
    .getByRole('button', { name: scenario });
  await button.click();
  await expect(button).toHaveAttribute('aria-pressed', 'true');
}

/** Scenarios that may end in an alarm without a warning, and the normal hours after each. */
const MOST_MISSED = 2;
const NORMAL_HOURS = 12;

/**
 * Start rises of pressure until `warning` appears. Not every rise has a warning, and fewer have one
 * while the last alarm is still in the window of the models. The tests of the models check how many
 * do (tests/services/inference/test_scenarios.py).
 */
export async function startUntilWarned(page: Page, warning: Locator): Promise<void> {
  const state = page.getByRole('region', { name: 'State of the plant' });
  const alarm = state.filter({ hasText: /In alarm/ });
  for (let missed = 0; missed <= MOST_MISSED; missed++) {
    await startScenario(page, 'Pressure rise');
    await expect(warning.or(alarm).first()).toBeVisible(PATIENCE);
    if (!(await alarm.isVisible())) return;
    await startScenario(page, 'Normal');
    await expect(state).toContainText('Normal', PATIENCE);
    const normalSince = await plantTime(page);
    await expect
      .poll(() => plantTime(page), PATIENCE)
      .toBeGreaterThan(normalSince + NORMAL_HOURS * 3_600_000);
  }
  throw new Error(`${MOST_MISSED + 1} rises of pressure in a row had no warning before the alarm`);
}

/** The plant time in the header, in milliseconds. */
async function plantTime(page: Page): Promise<number> {
  return Date.parse(
    (await page.getByRole('banner').getByRole('time').getAttribute('datetime')) ?? '',
  );
}
