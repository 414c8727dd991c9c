// Measures visits of a logged-in user. Prints as JSON the seconds until the page is loaded, and
// until the first live value is shown. Between visits, the browser keeps its cookies.
import process from 'node:process';
import { chromium } from '@playwright/test';

const {
  ALARMSTACK_UI_URL: url,
  ALARMSTACK_UI_USER: user,
  ALARMSTACK_UI_PASSWORD: password,
} = process.env;
const visits = Number(process.argv[2] ?? 5);
const options = { executablePath: process.env.ALARMSTACK_CHROMIUM ?? '/usr/bin/chromium' };
const browser = await chromium.launch({
  ...options,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.getByLabel('User name').fill(user);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await firstValue(page);
  const loaded = [];
  const live = [];
  for (let visit = 0; visit < visits; visit += 1) {
    const visited = await context.newPage();
    const start = performance.now();
    await visited.goto(url, { waitUntil: 'load' });
    loaded.push((performance.now() - start) / 1000);
    await firstValue(visited);
    live.push((performance.now() - start) / 1000);
    await visited.close();
  }
  console.log(JSON.stringify({ loaded, live }));
} finally {
  await browser.close();
}

/** Wait for the first value of an instrument: a number, not `--`. */
async function firstValue(page) {
  await page
    .locator('td.value strong')
    .filter({ hasText: /\d/ })
    .first()
    .waitFor({ timeout: 60_000 });
}
