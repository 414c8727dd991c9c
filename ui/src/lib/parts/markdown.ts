/** The little of Markdown that model cards use, as data: text is never taken for markup of the page. */
export type Run = { kind: 'text' | 'strong' | 'em' | 'code'; text: string };
export type Block =
  | { kind: 'heading'; level: number; runs: Run[] }
  | { kind: 'paragraph'; runs: Run[] }
  | { kind: 'list'; items: Run[][] }
  | { kind: 'table'; head: Run[][]; rows: Run[][][] }
  | { kind: 'code'; text: string };

const HEADING = /^(#{1,6})\s+(.*)$/;
const ITEM = /^\s*(?:[-*+]|\d+\.)\s+(.*)$/;
const RULE = /^\s*\|?[\s:|-]+\|?\s*$/;

export function blocks(text: string): Block[] {
  const lines = text.split(/\r?\n/);
  const found: Block[] = [];
  while (lines.length) {
    const line = lines.shift() ?? '';
    const heading = HEADING.exec(line);
    if (line.trim() === '') continue;
    if (line.startsWith('```')) found.push({ kind: 'code', text: fenced(lines) });
    else if (heading)
      found.push({ kind: 'heading', level: heading[1]?.length ?? 1, runs: runs(heading[2] ?? '') });
    else if (ITEM.test(line))
      found.push({
        kind: 'list',
        items: [line, ...take(lines, ITEM)].map((one) => runs(ITEM.exec(one)?.[1] ?? '')),
      });
    else if (line.includes('|') && RULE.test(lines[0] ?? '') && lines[0]?.includes('-'))
      found.push(table(line, lines));
    else
      found.push({
        kind: 'paragraph',
        runs: runs([line, ...take(lines, /^(?!#|```|\s*[-*+]\s|\s*\|)\s*\S/)].join(' ')),
      });
  }
  return found;
}

/** **strong**, *em* and `code` within a line. */
export function runs(text: string): Run[] {
  const parts = text.split(/(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/).filter(Boolean);
  return parts.map((part): Run => {
    if (part.startsWith('**') && part.length > 4)
      return { kind: 'strong', text: part.slice(2, -2) };
    if (part.startsWith('*') && part.endsWith('*') && part.length > 2)
      return { kind: 'em', text: part.slice(1, -1) };
    if (part.startsWith('`') && part.length > 2) return { kind: 'code', text: part.slice(1, -1) };
    return { kind: 'text', text: part };
  });
}

function fenced(lines: string[]): string {
  const end = lines.findIndex((line) => line.startsWith('```'));
  return lines
    .splice(0, end < 0 ? lines.length : end + 1)
    .filter((line) => !line.startsWith('```'))
    .join('\n');
}

function take(lines: string[], pattern: RegExp): string[] {
  const end = lines.findIndex((line) => !pattern.test(line));
  return lines.splice(0, end < 0 ? lines.length : end);
}

function table(head: string, lines: string[]): Block {
  lines.shift();
  const cells = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, '')
      .split('|')
      .map((cell) => runs(cell.trim()));
  return { kind: 'table', head: cells(head), rows: take(lines, /\|/).map(cells) };
}
