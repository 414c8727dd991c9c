import type { ModelStatus } from '../api/types';

export const STATUS_WORDS: Record<ModelStatus['status'], string> = {
  loaded: 'loaded',
  kept: 'last good copy',
  unpromoted: 'serving, not promoted',
  not_promoted: 'not promoted',
  missing: 'missing',
};

/** A model without a promoted version is no fault: nothing is expected of it. */
export const STATUS_MARKS: Record<ModelStatus['status'], string> = {
  loaded: '●',
  kept: '▲',
  unpromoted: '▲',
  not_promoted: '○',
  missing: '▲',
};
