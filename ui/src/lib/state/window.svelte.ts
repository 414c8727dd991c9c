import { numberAt, type Observation, type PlantTag, type Row } from '../api/types';
import { parseNumber } from './parse-number';

/** A cell shows this many significant digits of the server's number. */
const SHOWN_DIGITS = 6;

/**
 * A window of intervals as text cells, oldest row first. Fields of loaded rows that have no cell
 * (times, extremes, counts, ages) are kept and sent back with the row.
 */
export class WindowEditor {
  cells = $state.raw<string[][]>([]);
  /** The loaded rows, in the order of the cells. */
  #loaded: Row[] = [];

  constructor(
    readonly tags: PlantTag[],
    readonly minRows: number,
  ) {
    this.fill(Array.from({ length: minRows }, () => ({})));
  }

  /** Why this window cannot be sent; null where it can. */
  readonly problem = $derived.by(() => {
    const count = this.cells.length;
    if (count < this.minRows)
      return `At least ${this.minRows} rows are required; there are ${count}.`;
    const row = this.cells.findIndex((cells) => cells.some(isInvalid));
    if (row >= 0) return this.#problemInRow(row);
    if (!this.empty) return null;
    return 'Load live data, choose a preset, paste from a spreadsheet or enter values.';
  });

  get empty(): boolean {
    return this.cells.every((row) => row.every((text) => text.trim() === ''));
  }

  /** Start of the last row, in milliseconds, where the loaded rows still have their times. */
  get newestStart(): number | null {
    const timestamp = this.rows().at(-1)?.timestamp;
    return typeof timestamp === 'string' ? Date.parse(timestamp) : null;
  }

  fill(rows: readonly object[]): void {
    this.#loaded = rows.map((row) => ({ ...row }) as Row);
    this.cells = rows.map((row) => this.tags.map((tag) => cellText(numberAt(row, tag.key))));
  }

  set(row: number, column: number, text: string): void {
    this.cells = this.cells.map((cells, at) => (at === row ? cells.with(column, text) : cells));
    this.#dropStatistics(row, column);
  }

  /** Paste tab-separated text. Rows are added as needed; columns beyond the last are ignored. */
  paste(row: number, column: number, text: string): void {
    const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
    while (this.cells.length < row + lines.length) this.add();
    const pasted = this.cells.map((cells) => [...cells]);
    lines.forEach((line, down) => {
      const values = line.split('\t').slice(0, this.tags.length - column);
      values.forEach((value, across) => {
        pasted[row + down]?.splice(column + across, 1, value.trim());
        this.#dropStatistics(row + down, column + across);
      });
    });
    this.cells = pasted;
  }

  add(): void {
    this.cells = [...this.cells, this.tags.map(() => '')];
    this.#loaded = [...this.#loaded, {}];
  }

  remove(row: number): void {
    this.cells = this.cells.filter((_, at) => at !== row);
    this.#loaded = this.#loaded.filter((_, at) => at !== row);
  }

  /** The rows to send. They have times only where every row has its own, in ascending order. */
  rows(): Observation[] {
    const hasTimes = this.#loaded.every((row) => row.timestamp) && isAscending(this.#loaded);
    return this.cells.map((cells, at) => {
      const { timestamp, segment, ...fields } = this.#loaded[at] ?? {};
      const values = this.tags.map(({ key }, column) => [
        key,
        numberOf(cells[column] ?? '', fields[key]),
      ]);
      const times = hasTimes ? { timestamp, segment } : {};
      return { ...fields, ...times, ...Object.fromEntries(values) } as Observation;
    });
  }

  #problemInRow(row: number): string {
    const cells = this.cells[row] ?? [];
    const column = cells.findIndex(isInvalid);
    return `Row ${row + 1}, ${this.tags[column]?.tag}: “${cells[column]}” is not a number.`;
  }

  /** Remove the extremes, counts and ages of an edited value: they belong to the loaded one. */
  #dropStatistics(row: number, column: number): void {
    const tag = this.tags[column];
    const loaded = this.#loaded[row];
    if (!tag || !loaded) return;
    const kept = Object.entries(loaded).filter(([name]) => !name.startsWith(`${tag.key}_`));
    this.#loaded = this.#loaded.with(row, Object.fromEntries(kept) as Row);
  }
}

function isInvalid(text: string): boolean {
  return parseNumber(text) === undefined;
}

/** The number of a cell. An unedited cell gives the loaded number with all its digits. */
function numberOf(text: string, loaded: Row[string]): number | null {
  const isUnedited = typeof loaded === 'number' && cellText(loaded) === text;
  return isUnedited ? loaded : (parseNumber(text) ?? null);
}

function cellText(value: number | null): string {
  return value === null ? '' : String(Number(value.toPrecision(SHOWN_DIGITS)));
}

function isAscending(rows: Row[]): boolean {
  const times = rows.map((row) => Date.parse(row.timestamp ?? ''));
  return times.every((time, at) => at === 0 || time > (times[at - 1] ?? Infinity));
}
