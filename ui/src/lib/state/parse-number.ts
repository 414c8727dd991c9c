/**
 * The number in an input field: null where the field is blank or `--`, undefined where the text is
 * not a number. A decimal comma counts as a decimal point.
 */
export function parseNumber(text: string): number | null | undefined {
  const trimmed = text.trim().replace('−', '-');
  if (trimmed === '' || trimmed === '--') return null;
  const hasDecimalComma = /^[^.,]*,[^.,]*$/.test(trimmed);
  const number = hasDecimalComma ? trimmed.replace(',', '.') : trimmed;
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(number) ? Number(number) : undefined;
}
