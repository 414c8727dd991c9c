import type { ModelStatus } from '../api/types';

export const STATUS_WORDS: Record<ModelStatus['status'], string> = {
  loaded: 'loaded',
  kept: 'last good copy',
  unpromoted: 'not promoted',
  missing: 'missing',
};
