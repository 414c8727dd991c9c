/** Horizons: how far a forecast looks ahead, as durations such as `10min` or `3h`. */

const UNIT_SECONDS = new Map([
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
]);
type HasHorizon = { horizon?: string | null };

/** The horizon of a model, warning or result. Null: it is about the present. */
export function horizonOf({ horizon }: HasHorizon): string | null {
  return horizon ?? null;
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
