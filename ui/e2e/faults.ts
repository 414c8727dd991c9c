import { readdirSync, readFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { logIn, PATIENCE, visit } from './operator';

/** Number of the process that started the services. It is stopped too, so that it does not restart a service meanwhile. */
const SUPERVISOR = Number(process.env.ALARMSTACK_UI_SUPERVISOR_PID);

/** Number of the process of a service: a service that was restarted has another. */
function processOf(service: string): number {
  const isService = (pid: string) => {
    try {
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
      return Number(parent) === SUPERVISOR && words.slice(-2).join(' ') === `serve ${service}`;
    } catch {
      return false;
    }
  };
  const found = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isService(name));
  if (!found) throw new Error(`no process of ${service}`);
  return Number(found);
}

/** Do something while a service is stopped as if it hung: alive, its connections open, and silent. */
async function whileStopped(service: string, run: () => Promise<void>): Promise<void> {
  const stopped = [SUPERVISOR, processOf(service)];
  stopped.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  try {
    await run();
  } finally {
    stopped.toReversed().forEach((pid) => process.kill(pid, 'SIGCONT'));
  }
}

async function showsNoFigure(page: Page): Promise<void> {
  const cards = page.getByRole('region', { name: 'Risk and forecasts' });
  await expect(cards).not.toContainText('threshold');
  await expect(cards).not.toContainText(/\d %/);
  const values = page.getByRole('region', { name: 'Instruments' }).locator('td.value strong');
  await expect
    .poll(() => values.allTextContents().then((texts) => [...new Set(texts)]))
    .toEqual(['--']);
  await expect(page.getByRole('region', { name: 'State of the plant' })).toContainText(
    'State unknown',
  );
  await expect(page.getByText('Feed live')).toHaveCount(0);
}

test('a server that falls silent with its connections open is noticed, and nothing is shown as live', async ({
  page,
}) => {
  await logIn(page);
  await visit(page, 'dashboard');
  const lost = page.getByText(/Connection to the server lost at \d\d:\d\d:\d\d/);
  await whileStopped('gateway', async () => {
    await expect(lost).toBeVisible(PATIENCE);
    await showsNoFigure(page);
  });
  await expect(page.getByText('Feed live')).toBeVisible(PATIENCE);
  await expect(lost).toHaveCount(0);
});

test('a feed that falls silent leaves no figure on the screen, and its silence is counted', async ({
  page,
}) => {
  await logIn(page);
  await visit(page, 'dashboard');
  const note = page.getByText(/No reading for \d+/);
  const seconds = async () =>
    Number(/No reading for (\d+)/.exec((await note.textContent()) ?? '')?.[1]);
  await whileStopped('sensors', async () => {
    await expect(note).toBeVisible(PATIENCE);
    await showsNoFigure(page);
    const before = await seconds();
    await expect.poll(seconds).toBeGreaterThan(before);
  });
  await expect(page.getByText('Feed live')).toBeVisible(PATIENCE);
  await expect(
    page.getByRole('region', { name: 'Instruments' }).locator('td.value').first(),
  ).toContainText(/\d/, PATIENCE);
});
