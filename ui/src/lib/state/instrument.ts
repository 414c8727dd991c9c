import { numberAt, type Live, type PlantTag, type TagQuality } from '../api/types';
import { NOTHING, figure } from './format';

export type Quality = TagQuality['status'] | 'no feed';

/** The value of an instrument, its age, and how far it can be trusted. `shown` is the text on the screen. */
export type Instrument = {
  tag: PlantTag;
  value: number | null;
  age: number | null;
  quality: Quality;
  shown: string;
};

/** Why a value may not be used, in words. */
export const QUALITY_WORDS: Record<Quality, string> = {
  good: 'good',
  missing: 'missing',
  stale: 'stale',
  flat: 'flat: not used',
  out_of_range: 'out of range: not used',
  saturated: 'saturated: not used',
  'no feed': 'no feed',
};

type Sight = { live: Live | null; judged: TagQuality[]; plantNow: number | null; blind: boolean };

export function readInstrument(
  tag: PlantTag,
  { live, judged, plantNow, blind }: Sight,
): Instrument {
  const value = numberAt(live?.reading, tag.key);
  const age = ageOf(tag.key, live, plantNow);
  const quality = qualityOf(
    tag,
    value,
    age,
    judged.find((one) => one.key === tag.key)?.status,
    blind,
  );
  const visible = quality !== 'stale' && quality !== 'missing' && quality !== 'no feed';
  return {
    tag,
    value: visible ? value : null,
    age,
    quality,
    shown: visible ? figure(value, tag.range) : NOTHING,
  };
}

/** Age at the last reading, and the plant time that has passed since. */
function ageOf(key: string, live: Live | null, plantNow: number | null): number | null {
  const told = live?.ages?.[key];
  const stamp = live?.reading.timestamp;
  if (told === null || told === undefined) return null;
  return told + (stamp && plantNow ? Math.max(0, (plantNow - Date.parse(stamp)) / 1000) : 0);
}

function qualityOf(
  tag: PlantTag,
  value: number | null,
  age: number | null,
  judged: TagQuality['status'] | undefined,
  blind: boolean,
): Quality {
  if (blind) return 'no feed';
  if (value === null) return 'missing';
  if (age !== null && age > tag.stale_after_seconds) return 'stale';
  if (value < tag.range[0] || value > tag.range[1]) return 'out_of_range';
  return judged === 'flat' || judged === 'saturated' ? judged : 'good';
}
