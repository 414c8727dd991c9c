import { numberAt, type Live, type PlantTag, type TagQuality } from '../api/types';
import { NO_VALUE, valueText } from './format';

export type Quality = TagQuality['status'] | 'no feed';

/** What the screen shows of an instrument. `text` is its value, or `--` if it must not be used. */
export type Instrument = {
  tag: PlantTag;
  value: number | null;
  /** Seconds. */
  age: number | null;
  quality: Quality;
  text: string;
};

export const QUALITY_TEXTS: Record<Quality, string> = {
  good: 'good',
  missing: 'missing',
  stale: 'stale',
  flat: 'flat: not used',
  out_of_range: 'out of range: not used',
  saturated: 'saturated: not used',
  'no feed': 'no feed',
};

/** Qualities with which no value is shown. */
const HIDDEN: Quality[] = ['stale', 'missing', 'no feed'];

type Context = {
  reading: Live | null;
  /** The qualities in the newest assessment. */
  qualities: TagQuality[];
  plantNow: number | null;
  /** Whether values are live. */
  live: boolean;
};

export function readInstrument(tag: PlantTag, context: Context): Instrument {
  const value = numberAt(context.reading?.reading, tag.key);
  const age = ageOf(tag.key, context);
  const quality = qualityOf(tag, value, age, context);
  if (HIDDEN.includes(quality)) return { tag, value: null, age, quality, text: NO_VALUE };
  return { tag, value, age, quality, text: valueText(value, tag.range) };
}

/** The age at the last reading, plus the plant time since then. */
function ageOf(key: string, { reading, plantNow }: Context): number | null {
  const ageAtReading = reading?.ages?.[key] ?? null;
  const timestamp = reading?.reading.timestamp;
  if (ageAtReading === null || !timestamp || !plantNow) return ageAtReading;
  return ageAtReading + Math.max(0, (plantNow - Date.parse(timestamp)) / 1000);
}

function qualityOf(
  tag: PlantTag,
  value: number | null,
  age: number | null,
  { live, qualities }: Context,
): Quality {
  if (!live) return 'no feed';
  if (value === null) return 'missing';
  if (age !== null && age > tag.stale_after_seconds) return 'stale';
  if (value < tag.range[0] || value > tag.range[1]) return 'out_of_range';
  const assessed = qualities.find((quality) => quality.key === tag.key)?.status;
  return assessed === 'flat' || assessed === 'saturated' ? assessed : 'good';
}
