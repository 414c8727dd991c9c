import { bodyOf, problemOf } from '../api/problem';
import { type Forecast } from '../api/types';
import type { LivePlant } from './live.svelte';
import { readPreference, savePreference } from './preferences';
import type { Session } from './session.svelte';

/** Forecasts from live data, saved in the history: on request, or for each closed interval. */
export class AutoForecast {
  on = $state(readPreference('auto', 'off') === 'on');
  running = $state(false);
  last = $state.raw<Forecast | null>(null);
  problem = $state<string | null>(null);
  #chosen = $state(readPreference('auto.horizon', ''));
  /** The chosen horizon where the plant has it, else the shortest; null: the plant has none. */
  readonly horizon = $derived.by(() => {
    const horizons = this.horizons();
    return horizons.includes(this.#chosen) ? this.#chosen : (horizons[0] ?? null);
  });

  constructor(
    private readonly session: Session,
    live: Pick<LivePlant, 'onAssessment'>,
    /** The horizons that the plant has forecast models for. */
    private readonly horizons: () => string[],
  ) {
    live.onAssessment((_, repeated) => {
      if (!repeated && this.on && this.session.phase === 'in') void this.run();
    });
  }

  toggle(): void {
    this.on = !this.on;
    savePreference('auto', this.on ? 'on' : 'off');
  }

  choose(horizon: string): void {
    this.#chosen = horizon;
    savePreference('auto.horizon', horizon);
  }

  async run(): Promise<Forecast | null> {
    if (this.running || !this.horizon) return null;
    this.running = true;
    try {
      const { api } = this.session;
      const params = { query: { horizon: this.horizon } };
      this.last = await bodyOf(api.POST('/infer/auto', { params }));
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
