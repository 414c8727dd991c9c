import type { EntryType } from '../api/types';

export const TYPE_TITLES: Record<EntryType, string> = {
  predict: 'Prediction',
  forecast: 'Forecast',
  auto: 'Forecast from live data',
  explain: 'Explanation',
  assess: 'Assessment',
};

/** Entries with a score, which can be drawn and explained. */
export const SCORED_TYPES: EntryType[] = ['predict', 'forecast', 'auto'];
