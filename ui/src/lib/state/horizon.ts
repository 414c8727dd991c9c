/** Horizons: how far a forecast looks ahead, as durations such as `10min` or `3h`. */

const UNIT_SECONDS = new Map([
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
]);
/** The server writes durations in whole hours or minutes where it can, else in seconds. */
const WRITTEN_UNITS = ['h', 'min', 's'];

type HasHorizon = { horizon?: string | null; horizon_hours?: number | null };

/** The horizon of a model, warning or result. Null: it is about the present. */
export function horizonOf({ horizon, horizon_hours }: HasHorizon): string | null {
  return horizon ?? (typeof horizon_hours === 'number' ? durationOf(horizon_hours) : null);
}

/** A number of hours, whole or not, as a duration. */
function durationOf(hours: number): string {
  const seconds = Math.round(hours * 3600);
  const countIn = (unit: string) => seconds / (UNIT_SECONDS.get(unit) ?? 1);
  const unit = WRITTEN_UNITS.find((name) => seconds && Number.isInteger(countIn(name))) ?? 's';
  return `${countIn(unit)}${unit}`;
}

/** The seconds of a horizon; 0 for the present. */
export function horizonSeconds(horizon: string | null): number {
  const [, count, unit] = /^([\d.]+)(s|min|h|d)$/.exec(horizon ?? '') ?? [];
  return Number(count ?? 0) * (UNIT_SECONDS.get(unit ?? '') ?? 0);
}

/** `10 min` for `10min`. */
export function horizonText(horizon: string): string {
  return horizon.replace(/(?<=\d)(?=[a-z])/, ' ');
}

/** The horizons of a plant's forecast models, each once, shortest first. */
export function forecastHorizons(models: readonly HasHorizon[]): string[] {
  const horizons = models.map(horizonOf).filter((horizon) => horizon !== null);
  return [...new Set(horizons)].sort((a, b) => horizonSeconds(a) - horizonSeconds(b));
}
