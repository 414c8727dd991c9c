import { expect, type Locator, type Page } from '@playwright/test';

const USER = process.env.ALARMSTACK_UI_USER ?? 'engineer';
const PASSWORD = process.env.ALARMSTACK_UI_PASSWORD ?? 'engineer-password';

/** Plant hours pass in seconds; a scenario takes some tens of them. */
export const PATIENCE = { timeout: 240_000 };

export const PAGES = ['dashboard', 'trends', 'history', 'predict', 'forecast', 'models'];

/** Log in as a person does, and wait until the plant is alive on the screen. */
export async function logIn(page: Page): Promise<void> {
  await page.goto('/#/login');
  await page.getByLabel('User name').fill(USER);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByText('Feed live')).toBeVisible();
}

/** Go to a page and ask of it what makes it worth seeing. */
export async function visit(page: Page, name: string): Promise<void> {
  await page.goto(`/#/${name}`);
  if (name === 'dashboard')
    await expect(page.getByRole('img', { name: /^Risk now/ })).toBeVisible();
  if (name === 'trends') await expect(page.getByRole('region', { name: 'Charts' })).toBeVisible();
  if (name === 'history') await expect(page.getByRole('region', { name: 'Entries' })).toBeVisible();
  if (name === 'models')
    await expect(page.getByRole('heading', { name: 'Feature importance' })).toBeVisible();
  if (name === 'predict' || name === 'forecast')
    await ask(page, name === 'predict' ? 'Predict' : 'Forecast');
}

/** Take the last preset, ask, and wait for the reasons. */
async function ask(page: Page, title: string): Promise<void> {
  const presets = page
    .getByRole('group', { name: 'Presets' })
    .getByRole('button')
    .and(page.locator(':not(.quiet):enabled'));
  await presets.nth(1).click();
  await page.getByRole('button', { name: title, exact: true }).click();
  await expect(page.getByText(/contributions =/).first()).toBeVisible();
}

export async function play(page: Page, scenario: string): Promise<void> {
  const button = page
    .getByRole('region', { name: 'Simulation' })
    .getByRole('button', { name: scenario });
  await button.click();
  await expect(button).toHaveAttribute('aria-pressed', 'true');
}

/** Rises of pressure that may end in an alarm that nothing had warned of, and hours of calm after each. */
const UNANNOUNCED = 2;
const CALM_HOURS = 12;

/**
 * Play rises of pressure until one is `warned` of. Not every one is, and fewer are while the end of the last alarm still fills the
 * window of what models look at; how many is for tests of the models to judge (tests/inference/test_scenarios.py), not of the screen.
 */
export async function playUntil(page: Page, warned: Locator): Promise<void> {
  const state = page.getByRole('region', { name: 'State of the plant' });
  const alarmed = state.filter({ hasText: /In alarm/ });
  for (let missed = 0; missed <= UNANNOUNCED; missed++) {
    await play(page, 'Pressure rise');
    await expect(warned.or(alarmed).first()).toBeVisible(PATIENCE);
    if (!(await alarmed.isVisible())) return;
    await play(page, 'Normal');
    await expect(state).toContainText('Normal', PATIENCE);
    const calm = await plantTime(page);
    await expect
      .poll(() => plantTime(page), PATIENCE)
      .toBeGreaterThan(calm + CALM_HOURS * 3_600_000);
  }
  throw new Error(
    `${UNANNOUNCED + 1} rises of pressure in a row ended in an alarm that nothing had warned of`,
  );
}

/** What the header's clock says, in milliseconds. */
async function plantTime(page: Page): Promise<number> {
  return Date.parse(
    (await page.getByRole('banner').getByRole('time').getAttribute('datetime')) ?? '',
  );
}
