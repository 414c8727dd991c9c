/** Instants on the plant's clock. The offset is always said, so that the repeated hour of a clock change is two hours. */
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

  /** For an axis of hours: the clock, and at midnight the day that begins. */
  mark(instant: Instant): string {
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

  /** For a `datetime-local` input. */
  toInput(instant: Instant): string {
    return `${this.date(instant)}T${this.clock(instant)}`;
  }

  /** What was typed into a `datetime-local` input, read on the plant's clock; of a repeated hour the first. */
  fromInput(text: string): number | null {
    const guess = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text) ? Date.parse(`${text}:00Z`) : NaN;
    if (Number.isNaN(guess)) return null;
    const candidates = [guess - 86_400_000, guess + 86_400_000].map(
      (near) => guess - this.#offsetMs(near),
    );
    const fitting = candidates.filter((instant) => this.toInput(instant) === text);
    return fitting.length ? Math.min(...fitting) : Math.max(...candidates);
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
