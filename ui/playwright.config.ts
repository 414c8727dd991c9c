import { defineConfig } from '@playwright/test';

/** Needs a running stack at `ALARMSTACK_UI_URL`. `ALARMSTACK_UI_USER` is an engineer. */
export default defineConfig({
  testDir: 'e2e',
  workers: 1,
  fullyParallel: false,
  timeout: 300_000,
  expect: { timeout: 15_000 },
  reporter: process.env.CI ? [['list'], ['html', { open: 'never' }]] : 'list',
  use: {
    baseURL: process.env.ALARMSTACK_UI_URL ?? 'http://127.0.0.1:5173',
    viewport: { width: 1366, height: 768 },
    actionTimeout: 15_000,
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.ALARMSTACK_CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
    },
  },
  projects: [
    { name: 'stories', testMatch: 'stories.ts' },
    { name: 'accessibility', testMatch: 'accessibility.ts' },
    { name: 'faults', testMatch: 'faults.ts' },
    { name: 'screenshots', testMatch: 'screenshots.ts' },
  ],
});
