import type { EntryType } from '../api/types';

export const TYPES: Record<EntryType, string> = {
  predict: 'Prediction',
  forecast: 'Forecast',
  auto: 'Forecast of the feed',
  explain: 'Explanation',
  assess: 'Assessment',
};
