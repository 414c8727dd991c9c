import type { ModelStatus } from '../api/types';

export const STATUS_WORDS: Record<ModelStatus['status'], string> = {
  loaded: 'loaded',
  kept: 'last good copy',
  unpromoted: 'newest version, not promoted',
  not_promoted: 'not promoted',
  missing: 'missing',
};
