import { expect, test } from '@playwright/test';
import { logIn, PAGES, visit } from './operator';

const FOLDER = '../docs/screens';
const SIZES = { phone: [390, 844], desktop: [1440, 900], wall: [2560, 1440] } as const;

for (const theme of ['light', 'dim']) {
  test(`every page in the ${theme} theme`, async ({ page }) => {
    await page.addInitScript((name) => localStorage.setItem('alarmstack.theme', name), theme);
    const shoot = async (name: string) => {
      for (const [size, [width, height]] of Object.entries(SIZES)) {
        await page.setViewportSize({ width, height });
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
      await shoot(name);
    }
    await logIn(page);
    for (const name of [...PAGES].reverse()) {
      await visit(page, name);
      await shoot(name);
    }
  });
}
