import { answer } from '../api/problem';
import type { Api } from '../api/client';
import type { Explanation, Forecast, Observation, PlantView } from '../api/types';
import { Asked } from './asked.svelte';
import { WindowEditor } from './window.svelte';

type Window = { intervals: Observation[] };

/** One horizon's question. */
export class HorizonAsked {
  readonly forecast = new Asked<Forecast>();
  readonly explanation = new Asked<Explanation>();

  constructor(readonly hours: number) {}
}

/** A window of rows, and the answer of every forecaster to it. */
export class ForecastForm {
  readonly window: WindowEditor;
  readonly horizons: HorizonAsked[];
  /** The rows that the answers on the screen belong to. */
  #rows: Observation[] = [];
  explained = $state<number | null>(null);

  readonly live = new Asked<Window>();

  constructor(
    private readonly api: Api,
    private readonly plant: PlantView,
  ) {
    this.window = new WindowEditor(plant.tags, plant.window_rows);
    this.horizons = [...new Set(plant.horizons_hours)]
      .filter((hours) => hours > 0)
      .map((hours) => new HorizonAsked(hours));
  }

  get busy(): boolean {
    return this.horizons.some((one) => one.forecast.loading);
  }

  get asked(): boolean {
    return this.horizons.some((one) => one.forecast.value ?? one.forecast.problem);
  }

  /** Begin with the live data, unless somebody is faster. */
  open(): Promise<void> {
    return this.loadLive(() => this.window.empty);
  }

  /** Fill the form with the rows that the server itself forecasts from: the same rows give the same figure. */
  async loadLive(wanted = () => true): Promise<void> {
    const window = await this.live.ask(
      () => answer(this.api.GET('/infer/window')) as Promise<Window>,
    );
    if (window?.intervals.length && wanted()) this.window.fill(window.intervals);
  }

  /** End of the newest loaded row on the plant's clock; null where rows were entered by hand. */
  get until(): number | null {
    const start = this.window.newest;
    return start === null ? null : start + this.plant.cadence_seconds * 1000;
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
    this.explained = one.hours;
    if (one.explanation.value || one.explanation.loading) return;
    const body = { horizon: one.hours, recent_observations: this.#rows };
    await one.explanation.ask(() => answer(this.api.POST('/infer/explain', { body })));
  }

  #forecast(one: HorizonAsked): Promise<Forecast | null> {
    const body = { horizon: one.hours, recent_observations: this.#rows };
    return one.forecast.ask(() => answer(this.api.POST('/infer/forecast', { body })));
  }
}
