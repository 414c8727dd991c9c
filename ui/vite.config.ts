import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { loadEnv } from 'vite';
import { defineConfig } from 'vitest/config';

export default defineConfig(({ mode }) => {
  const env = loadEnv(mode, process.cwd(), 'VITE_');
  const gateway = env.VITE_FRONTEND_API_URL ?? 'http://localhost:7501';
  const sensors = env.VITE_SENSOR_API_URL ?? 'http://localhost:7500';
  // The page uses only the gateway. The sensor API is for developers who inspect the feed.
  const proxy = {
    '/api': { target: gateway, changeOrigin: false },
    '/sensors': { target: sensors, rewrite: (path: string) => path.replace(/^\/sensors/, '') },
  };
  return {
    plugins: [svelte(), svelteTesting()],
    resolve: { alias: { $lib: new URL('./src/lib', import.meta.url).pathname } },
    server: { port: 5173, strictPort: true, proxy },
    preview: { port: 5173, strictPort: true, proxy },
    build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
    test: {
      environment: 'jsdom',
      include: ['src/**/*.test.ts'],
      setupFiles: ['src/test-setup.ts'],
      restoreMocks: true,
    },
  };
});
