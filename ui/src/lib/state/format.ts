/** Numbers and durations as texts for the screen. */

export const NO_VALUE = '--';

/** A value with as many decimals as the range of its instrument justifies. */
export function valueText(
  value: number | null | undefined,
  range: readonly number[] = [0, 100],
): string {
  if (!isNumber(value)) return NO_VALUE;
  const span = Math.abs((range[1] ?? 1) - (range[0] ?? 0));
  const decimals = span >= 100 ? 1 : span >= 10 ? 2 : 3;
  return withMinus(value.toFixed(decimals));
}

/** A number without a known range: three significant digits. */
export function numberText(value: number | null | undefined): string {
  if (!isNumber(value)) return NO_VALUE;
  const size = Math.abs(value);
  if (size >= 1000) return withMinus(value.toFixed(0));
  if (size > 0 && size < 0.001) return withMinus(value.toExponential(1));
  return withMinus(String(Number(value.toPrecision(3))));
}

/** A probability in per cent; almost 0 or 1 is not rounded to certainty. */
export function percent(share: number | null | undefined): string {
  if (!isNumber(share)) return NO_VALUE;
  if (share > 0 && share < 0.01) return '< 1 %';
  if (share < 1 && share > 0.99) return '> 99 %';
  return `${Math.round(share * 100)} %`;
}

export function signedText(value: number): string {
  return `${value > 0 ? '+' : ''}${withMinus(value.toFixed(2))}`;
}

export function duration(seconds: number | null | undefined): string {
  if (!isNumber(seconds)) return NO_VALUE;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  if (hours < 24) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** The length of a time range: whole hours up to three days, such as `48 h`. */
export function rangeText(seconds: number): string {
  const hours = seconds / 3600;
  return Number.isInteger(hours) && hours < 72 ? `${hours} h` : duration(seconds);
}

type Scale = { unit: string; range: readonly number[] };

/** A value of a series: shares in per cent, all others with the decimals of their range. */
export function pointText(value: number | null | undefined, scale: Scale): string {
  return isShare(scale) ? percent(value) : valueText(value, scale.range);
}

export function isShare({ unit, range }: Scale): boolean {
  return unitText(unit) === '' && range[0] === 0 && range[1] === 1;
}

/** `Reboiler swing` for `reboiler_swing`. */
export function nameText(name: string): string {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The unit to show; dimensionless quantities have none. */
export function unitText(unit: string | null | undefined): string {
  return !unit || unit === '1' ? '' : unit;
}

/** A value with its unit, where it has one. */
export function withUnit(text: string, unit: string | null | undefined): string {
  return `${text} ${unitText(unit)}`.trim();
}

function isNumber(value: number | null | undefined): value is number {
  return value !== null && value !== undefined && Number.isFinite(value);
}

/** Numbers have a minus sign, not a hyphen. */
function withMinus(text: string): string {
  return text.replace('-', '−');
}
