/**
 * Times in the plant's time zone, on a 24-hour clock. Full times include the UTC offset, which
 * distinguishes the two hours that a clock change repeats.
 */
export class PlantTime {
  readonly #parts: Intl.DateTimeFormat;

  constructor(readonly zone: string) {
    const fields = {
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
    } as const;
    this.#parts = new Intl.DateTimeFormat('en-GB', {
      ...fields,
      second: '2-digit',
      hourCycle: 'h23',
      timeZone: zone,
      timeZoneName: 'longOffset',
    });
  }

  date(instant: Instant): string {
    const { year, month, day } = this.#split(instant);
    return `${year}-${month}-${day}`;
  }

  clock(instant: Instant, seconds = false): string {
    const { hour, minute, second } = this.#split(instant);
    return seconds ? `${hour}:${minute}:${second}` : `${hour}:${minute}`;
  }

  /** The mark on a time axis: the clock, or at midnight the date. */
  axisMark(instant: Instant): string {
    const clock = this.clock(instant);
    return clock === '00:00' ? this.date(instant).slice(5) : clock;
  }

  /** `+01:00`, and `+00:00` for UTC. */
  offset(instant: Instant): string {
    return (this.#split(instant).timeZoneName ?? '').replace('GMT', '') || '+00:00';
  }

  short(instant: Instant): string {
    return `${this.date(instant).slice(5)} ${this.clock(instant)}`;
  }

  full(instant: Instant): string {
    return `${this.date(instant)} ${this.clock(instant)} ${this.offset(instant)}`;
  }

  dateTime(instant: Instant): string {
    return `${this.date(instant)}T${this.clock(instant)}`;
  }

  /**
   * The time, in milliseconds, of a date and clock such as `2026-06-01T12:00` in the plant's time
   * zone; null where the text is not one. A repeated hour gives its first occurrence.
   */
  parse(text: string): number | null {
    const guess = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text) ? Date.parse(`${text}:00Z`) : NaN;
    if (Number.isNaN(guess)) return null;
    const candidates = [guess - 86_400_000, guess + 86_400_000].map(
      (near) => guess - this.#offsetMs(near),
    );
    const matches = candidates.filter((instant) => this.dateTime(instant) === text);
    return matches.length ? Math.min(...matches) : Math.max(...candidates);
  }

  #offsetMs(instant: number): number {
    const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)/.exec(this.offset(instant)) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
  }

  #split(instant: Instant): Partial<Record<Intl.DateTimeFormatPartTypes, string>> {
    return Object.fromEntries(
      this.#parts.formatToParts(new Date(instant)).map((part) => [part.type, part.value]),
    );
  }
}

export type Instant = number | string;
