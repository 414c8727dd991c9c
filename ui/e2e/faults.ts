import { readdirSync, readFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { logIn, PATIENCE, visit } from './operator';

/**
 * The process id of the supervisor, which starts the services. It is stopped together with a
 * service, so that it does not restart the service.
 */
const SUPERVISOR = Number(process.env.ALARMSTACK_UI_SUPERVISOR_PID);

/** The process id of a service. It changes when the service is restarted. */
function processOf(service: string): number {
  const isService = (pid: string) => {
    try {
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
      return Number(parent) === SUPERVISOR && command.slice(-2).join(' ') === `serve ${service}`;
    } catch {
      return false;
    }
  };
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isService(name));
  if (!pid) throw new Error(`the service ${service} has no process`);
  return Number(pid);
}

/** Run something while a service hangs: its process and its connections exist, but send nothing. */
async function whileStopped(service: string, run: () => Promise<void>): Promise<void> {
  const stopped = [SUPERVISOR, processOf(service)];
  stopped.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  try {
    await run();
  } finally {
    stopped.toReversed().forEach((pid) => process.kill(pid, 'SIGCONT'));
  }
}

async function expectNoValues(page: Page): Promise<void> {
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

test('when the server hangs, the screen reports it and shows no value as live', async ({
  page,
}) => {
  await logIn(page);
  await visit(page, 'dashboard');
  const lost = page.getByText(/Connection to the server lost at \d\d:\d\d:\d\d/);
  await whileStopped('gateway', async () => {
    await expect(lost).toBeVisible(PATIENCE);
    await expectNoValues(page);
  });
  await expect(page.getByText('Feed live')).toBeVisible(PATIENCE);
  await expect(lost).toHaveCount(0);
});

test('when the feed hangs, the screen shows no value and the time since the last reading', async ({
  page,
}) => {
  await logIn(page);
  await visit(page, 'dashboard');
  const note = page.getByText(/No reading for \d+/);
  const seconds = async () =>
    Number(/No reading for (\d+)/.exec((await note.textContent()) ?? '')?.[1]);
  await whileStopped('sensors', async () => {
    await expect(note).toBeVisible(PATIENCE);
    await expectNoValues(page);
    const before = await seconds();
    await expect.poll(seconds).toBeGreaterThan(before);
  });
  await expect(page.getByText('Feed live')).toBeVisible(PATIENCE);
  await expect(
    page.getByRole('region', { name: 'Instruments' }).locator('td.value').first(),
  ).toContainText(/\d/, PATIENCE);
});
