import type { EntryType } from '../api/types';

export const TYPES: Record<EntryType, string> = {
  predict: 'Prediction',
  forecast: 'Forecast',
  auto: 'Forecast from live data',
  explain: 'Explanation',
  assess: 'Assessment',
};
