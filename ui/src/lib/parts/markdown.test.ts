import { render, screen as page, within } from '@testing-library/svelte';
import { expect, test } from 'vitest';
import Markdown from './Markdown.svelte';

async function show(text: string): Promise<HTMLElement> {
  const { container } = render(Markdown, { props: { text } });
  await expect.poll(() => container.textContent).not.toContain('Loading');
  return container;
}

test('a card has headings, paragraphs, lists, tables and code', async () => {
  const container = await show(
    '# Risk\nWarns **early**, by\n`paths`.\n\n- one\n- two\n\n' +
      '| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```\nx # y\n```\n',
  );
  expect(page.getByRole('heading', { level: 4, name: 'Risk' })).toBeVisible();
  const paragraph = container.querySelector('p');
  expect(paragraph).toHaveTextContent('Warns early, by paths.');
  expect(paragraph?.querySelector('strong')).toHaveTextContent('early');
  expect(paragraph?.querySelector('code')).toHaveTextContent('paths');
  const items = page.getAllByRole('listitem').map((item) => item.textContent);
  expect(items).toEqual(['one', 'two']);
  const table = within(page.getByRole('table'));
  expect(table.getAllByRole('columnheader').map((cell) => cell.textContent)).toEqual(['a', 'b']);
  expect(table.getAllByRole('cell').map((cell) => cell.textContent)).toEqual(['1', '2']);
  expect(container.querySelector('pre')).toHaveTextContent('x # y');
});

test.each([
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  'Risk <b onclick="alert(1)">high</b>',
  '![chart](https://example.com/x.png)',
  '[card](javascript:alert(1))',
  '<https://example.com>',
  'https://example.com',
  '[a]: javascript:alert(1)\n\n[a]',
])('%j is shown as text', async (text) => {
  const container = await show(text);
  expect(container.querySelector('script, img, a, b, [onclick], [onerror]')).toBeNull();
  const unspaced = (content: string | null) => content?.replace(/\s/g, '');
  expect(unspaced(container.textContent)).toBe(unspaced(text));
});

test('HTML in headings, tables and code stays text as well', async () => {
  const image = '<img src=x onerror=alert(1)>';
  const container = await show(
    `# ${image}\n\n| ${image} |\n| --- |\n| ${image} |\n\n` +
      `\`${image}\`\n\n\`\`\`${image}\n${image}\n\`\`\``,
  );
  expect(container.querySelector('img, [onerror]')).toBeNull();
  expect(container.textContent?.match(/<img src=x/g)).toHaveLength(5);
});

test.each(['#no heading', '| lone pipe', '```', '**', '- ', '* a * b'])(
  'incomplete Markdown is rendered: %j',
  async (text) => {
    const container = await show(text);
    expect(container.querySelectorAll('.markdown > *').length).toBeLessThanOrEqual(1);
  },
);
