import { answer, problemOf } from '../api/problem';
import type { Forecast } from '../api/types';
import { keep, kept } from './kept';
import type { LivePlant } from './live.svelte';
import type { Session } from './session.svelte';

/** Forecasts from live data, saved to my history: one now, or one for each closed interval while `on`. */
export class AutoAssess {
  on = $state(kept('auto', 'off') === 'on');
  horizon = $state(Number(kept('auto.horizon', '1')));
  running = $state(false);
  last = $state.raw<Forecast | null>(null);
  problem = $state<string | null>(null);

  constructor(
    private readonly session: Session,
    live: Pick<LivePlant, 'onAssessment'>,
  ) {
    live.onAssessment((_, again) => {
      if (!again && this.on && this.session.phase === 'in') void this.now();
    });
  }

  toggle(): void {
    this.on = !this.on;
    keep('auto', this.on ? 'on' : 'off');
  }

  choose(hours: number): void {
    this.horizon = hours;
    keep('auto.horizon', String(hours));
  }

  async now(): Promise<Forecast | null> {
    if (this.running) return null;
    this.running = true;
    try {
      const query = { horizon: this.horizon };
      this.last = await answer(this.session.api.POST('/infer/auto', { params: { query } }));
      this.problem = null;
      return this.last;
    } catch (cause) {
      this.problem = problemOf(cause).message;
      return null;
    } finally {
      this.running = false;
    }
  }
}
