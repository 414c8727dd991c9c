import { expect, test } from '@playwright/test';
import { logIn, PAGES, PATIENCE, startScenario, startUntilWarned, visit } from './operator';

const FOLDER = '../docs/screens';
const SIZES = { phone: [390, 844], desktop: [1440, 900], wall: [2560, 1440] } as const;

for (const theme of ['light', 'dim']) {
  test(`every page in the ${theme} theme`, async ({ page }) => {
    test.setTimeout(900_000);
    await page.addInitScript((name) => localStorage.setItem('alarmstack.theme', name), theme);
    const save = async (name: string) => {
      for (const [size, [width, height]] of Object.entries(SIZES)) {
        await page.setViewportSize({ width, height });
        // Charts are drawn again one frame after the size changes.
        await page.evaluate(
          () =>
            new Promise((drawn) =>
              requestAnimationFrame(() =>
                requestAnimationFrame(() => requestAnimationFrame(drawn)),
              ),
            ),
        );
        await page.screenshot({
          path: `${FOLDER}/${name}-${theme}-${size}.png`,
          fullPage: true,
          animations: 'disabled',
        });
      }
    };
    for (const name of ['login', 'register']) {
      await page.goto(`/#/${name}`);
      await expect(page.getByLabel('User name')).toBeVisible();
      await save(name);
    }
    await logIn(page);
    for (const name of [...PAGES].reverse()) {
      await visit(page, name);
      await save(name);
    }
    const state = page.getByRole('region', { name: 'State of the plant' });
    await page.setViewportSize({ width: 1366, height: 768 });
    await startUntilWarned(page, state.filter({ hasText: /Alarm .* within / }));
    for (const message of await page.getByRole('button', { name: 'Close message' }).all())
      await message.click();
    await save('warning');
    await expect(state).toContainText('In alarm', PATIENCE);
    await save('alarm');
    await startScenario(page, 'Normal');
    await expect(state).toContainText('Normal', PATIENCE);
  });
}
