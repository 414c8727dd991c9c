/** Numbers and durations as an operator reads them. */

export const NOTHING = '--';

/** A value to the digits that its instrument's span makes worth reading. */
export function figure(
  value: number | null | undefined,
  range: readonly number[] = [0, 100],
): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  const span = Math.abs((range[1] ?? 1) - (range[0] ?? 0));
  const digits = span >= 100 ? 1 : span >= 10 ? 2 : 3;
  return minus(value.toFixed(digits));
}

/** A number with no range to go by: three digits that matter. */
export function plain(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  const size = Math.abs(value);
  if (size >= 1000) return minus(value.toFixed(0));
  return minus(
    size >= 0.001 || size === 0 ? String(Number(value.toPrecision(3))) : value.toExponential(1),
  );
}

/** A probability in per cent; near certainty is not rounded into certainty. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return NOTHING;
  if (share > 0 && share < 0.01) return '< 1 %';
  if (share < 1 && share > 0.99) return '> 99 %';
  return `${Math.round(share * 100)} %`;
}

export function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${minus(value.toFixed(2))}`;
}

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NOTHING;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (hours < 24) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** A length of time to choose or to head a column: hours up to three days, `48 h`. */
export function stretch(seconds: number): string {
  const hours = seconds / 3600;
  return Number.isInteger(hours) && hours < 72 ? `${hours} h` : duration(seconds);
}

/** A point of a series: a share of 1 in per cent, all else to the digits of its range. */
export function pointOf(
  value: number | null | undefined,
  series: { unit: string; range: readonly number[] },
): string {
  return isShare(series) ? percent(value) : figure(value, series.range);
}

export function isShare({ unit, range }: { unit: string; range: readonly number[] }): boolean {
  return unitOf(unit) === '' && range[0] === 0 && range[1] === 1;
}

/** `reboiler_swing` as words. */
export function words(name: string): string {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A dimensionless quantity carries no unit on the screen. */
export function unitOf(unit: string | null | undefined): string {
  return !unit || unit === '1' ? '' : unit;
}

function minus(text: string): string {
  return text.replace('-', '−');
}
