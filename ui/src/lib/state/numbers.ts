/** What somebody typed: a number, nothing, or no number at all. A decimal comma is a decimal point. */
export function typedNumber(text: string): number | null | undefined {
  const trimmed = text.trim().replace('−', '-');
  if (trimmed === '' || trimmed === '--') return null;
  const dotted = /^[^.,]*,[^.,]*$/.test(trimmed) ? trimmed.replace(',', '.') : trimmed;
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(dotted) ? Number(dotted) : undefined;
}
