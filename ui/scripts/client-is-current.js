// Fails if src/lib/api/schema.d.ts differs from what is generated from openapi.json.
import { readFile } from 'node:fs/promises';
import openapi, { astToString } from 'openapi-typescript';
import { format, resolveConfig } from 'prettier';

const target = new URL('../src/lib/api/schema.d.ts', import.meta.url);
const source = new URL('../openapi.json', import.meta.url);
const body = astToString(await openapi(source));
const strip = (text) => text.replace(/^\/\*\*[\s\S]*?\*\/\s*/, '');
const expected = await format(strip(body), {
  ...(await resolveConfig(target.pathname)),
  parser: 'typescript',
});
const current = await format(strip(await readFile(target, 'utf8')), {
  ...(await resolveConfig(target.pathname)),
  parser: 'typescript',
});
if (expected !== current) {
  console.error('src/lib/api/schema.d.ts is out of date: run `npm run generate` and commit it.');
  process.exit(1);
}
