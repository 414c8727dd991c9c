import { numberAt, type Observation, type PlantTag, type Row } from '../api/types';
import { typedNumber } from './numbers';

/** A window of intervals as text cells, oldest row first. What a preset or the feed told besides the cells travels along. */
export class WindowEditor {
  cells = $state.raw<string[][]>([]);
  #beside: Row[] = [];

  constructor(
    readonly tags: PlantTag[],
    readonly least: number,
  ) {
    this.fill(Array.from({ length: least }, () => ({})));
  }

  /** The first thing that keeps this window from being sent. */
  readonly problem = $derived.by(() => {
    if (this.cells.length < this.least)
      return `At least ${this.least} rows are required; there are ${this.cells.length}.`;
    const row = this.cells.findIndex((one) => one.some((text) => typedNumber(text) === undefined));
    if (row < 0)
      return this.empty
        ? 'Load live data, choose a preset, paste from a spreadsheet or enter values.'
        : null;
    const column = this.cells[row]?.findIndex((text) => typedNumber(text) === undefined) ?? 0;
    return `Row ${row + 1}, ${this.tags[column]?.tag}: “${this.cells[row]?.[column]}” is not a number.`;
  });

  get empty(): boolean {
    return this.cells.every((row) => row.every((text) => text.trim() === ''));
  }

  /** Start of the last row, in milliseconds, where the rows still have their own instants. */
  get newest(): number | null {
    const stamp = this.rows().at(-1)?.timestamp;
    return typeof stamp === 'string' ? Date.parse(stamp) : null;
  }

  fill(rows: readonly object[]): void {
    this.#beside = rows.map((row) => ({ ...row }) as Row);
    this.cells = rows.map((row) => this.tags.map((tag) => written(numberAt(row, tag.key))));
  }

  set(row: number, column: number, text: string): void {
    this.cells = this.cells.map((cells, at) => (at === row ? cells.with(column, text) : cells));
    this.#forget(row, column);
  }

  /** Put a block of tab-separated text at a cell; rows are added as needed, what hangs over the right edge is left out. */
  paste(row: number, column: number, text: string): void {
    const block = text.replace(/\r?\n$/, '').split(/\r?\n/);
    while (this.cells.length < row + block.length) this.add();
    const cells = this.cells.map((one) => [...one]);
    block.forEach((line, down) =>
      line.split('\t').forEach((value, across) => {
        const target = cells[row + down];
        if (!target || column + across >= this.tags.length) return;
        target[column + across] = value.trim();
        this.#forget(row + down, column + across);
      }),
    );
    this.cells = cells;
  }

  add(): void {
    this.cells = [...this.cells, this.tags.map(() => '')];
    this.#beside = [...this.#beside, {}];
  }

  remove(row: number): void {
    this.cells = this.cells.filter((_, at) => at !== row);
    this.#beside = this.#beside.filter((_, at) => at !== row);
  }

  /** The rows to send; blank is missing. Instants travel only where every row still has its own, one after the other. */
  rows(): Observation[] {
    const dated = this.#beside.every((row) => row.timestamp) && inOrder(this.#beside);
    return this.cells.map((cells, at) => {
      const { timestamp, segment, ...rest } = this.#beside[at] ?? {};
      const values = this.tags.map((tag, column) => [
        tag.key,
        unrounded(rest[tag.key], cells[column] ?? ''),
      ]);
      return {
        ...rest,
        ...(dated ? { timestamp, segment } : {}),
        ...Object.fromEntries(values),
      } as Observation;
    });
  }

  /** An edited value no longer fits the extremes, counts and ages told with it. */
  #forget(row: number, column: number): void {
    const tag = this.tags[column];
    const beside = this.#beside[row];
    if (!tag || !beside) return;
    const own = Object.entries(beside).filter(([name]) => !name.startsWith(`${tag.key}_`));
    this.#beside = this.#beside.with(row, Object.fromEntries(own) as Row);
  }
}

/** A cell's number: that of the server as long as the cell shows it, since the cell shows six digits of it. */
function unrounded(kept: Row[string], text: string): number | null {
  return typeof kept === 'number' && written(kept) === text ? kept : (typedNumber(text) ?? null);
}

function written(value: number | null): string {
  return value === null ? '' : String(Number(value.toPrecision(6)));
}

function inOrder(rows: Row[]): boolean {
  const stamps = rows.map((row) => Date.parse(row.timestamp ?? ''));
  return stamps.every((stamp, at) => at === 0 || stamp > (stamps[at - 1] ?? Infinity));
}
