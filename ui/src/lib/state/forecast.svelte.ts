import { answer } from '../api/problem';
import type { Api } from '../api/client';
import type { Explanation, Forecast, Observation, PlantView } from '../api/types';
import { Asked } from './asked.svelte';
import { WindowEditor } from './window.svelte';

/** One horizon's question. */
export class HorizonAsked {
  readonly forecast = new Asked<Forecast>();
  readonly explanation = new Asked<Explanation>();

  constructor(readonly hours: number) {}
}

/** A window of rows, and what every forecaster makes of it. */
export class ForecastForm {
  readonly window: WindowEditor;
  readonly horizons: HorizonAsked[];
  /** The rows that the answers on the screen speak of. */
  #rows: Observation[] = [];
  open = $state<number | null>(null);

  constructor(
    private readonly api: Api,
    plant: PlantView,
  ) {
    this.window = new WindowEditor(plant.tags, plant.window_rows);
    this.horizons = plant.horizons_hours.map((hours) => new HorizonAsked(hours));
  }

  get busy(): boolean {
    return this.horizons.some((one) => one.forecast.loading);
  }

  get asked(): boolean {
    return this.horizons.some((one) => one.forecast.value ?? one.forecast.problem);
  }

  async ask(): Promise<void> {
    if (this.window.problem) return;
    this.#rows = this.window.rows();
    this.horizons.forEach((one) => one.explanation.clear());
    await Promise.all(this.horizons.map((one) => this.#forecast(one)));
    const telling = this.horizons.find((one) => one.forecast.value?.alarm) ?? this.horizons.at(-1);
    if (telling?.forecast.value) await this.explain(telling);
  }

  /** Show why; each answer is explained once. */
  async explain(one: HorizonAsked): Promise<void> {
    this.open = one.hours;
    if (one.explanation.value || one.explanation.loading) return;
    const body = { horizon: one.hours, recent_observations: this.#rows };
    await one.explanation.ask(() => answer(this.api.POST('/infer/explain', { body })));
  }

  #forecast(one: HorizonAsked): Promise<Forecast | null> {
    const body = { horizon: one.hours, recent_observations: this.#rows };
    return one.forecast.ask(() => answer(this.api.POST('/infer/forecast', { body })));
  }
}
