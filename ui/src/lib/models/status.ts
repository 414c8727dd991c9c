import type { ModelStatus } from '../api/types';

export const STATUS_TEXTS: Record<ModelStatus['status'], string> = {
  loaded: 'loaded',
  kept: 'last good copy',
  unpromoted: 'newest version, not promoted',
  not_promoted: 'not promoted',
  missing: 'missing',
};

/** `not_promoted` is not a fault: such a model is not expected to give outputs. */
export const STATUS_MARKS: Record<ModelStatus['status'], string> = {
  loaded: '●',
  kept: '▲',
  unpromoted: '▲',
  not_promoted: '○',
  missing: '▲',
};
