import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { logIn, PAGES, visit } from './operator';

async function expectNoViolations(page: Page, where: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const texts = violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`,
  );
  expect.soft(texts, where).toEqual([]);
}

for (const theme of ['light', 'dim']) {
  test(`no violations in the ${theme} theme`, async ({ page }) => {
    await page.addInitScript((name) => localStorage.setItem('alarmstack.theme', name), theme);
    for (const name of ['login', 'register']) {
      await page.goto(`/#/${name}`);
      await expect(page.getByLabel('User name')).toBeVisible();
      await expectNoViolations(page, name);
    }
    await logIn(page);
    for (const name of [...PAGES].reverse()) {
      await visit(page, name);
      await expectNoViolations(page, name);
    }
    await page.keyboard.press('?');
    await expect(page.getByRole('dialog')).toBeVisible();
    await expectNoViolations(page, 'keyboard shortcuts');
    await page.keyboard.press('Escape');
    await visit(page, 'history');
    await page
      .getByRole('link', { name: /^Entry \d+$/ })
      .first()
      .click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await expectNoViolations(page, 'entry');
  });
}
