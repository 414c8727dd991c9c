import type { Api } from '../api/client';
import { bodyOf } from '../api/problem';
import { type Explanation, type Forecast, type Observation, type PlantView } from '../api/types';
import { forecastHorizons } from './horizon';
import { Resource } from './resource.svelte';
import { WindowEditor } from './window.svelte';

type Window = { intervals: Observation[] };

/** The forecast for one horizon, and its explanation. */
export class HorizonForecast {
  readonly forecast = new Resource<Forecast>();
  readonly explanation = new Resource<Explanation>();

  constructor(readonly horizon: string) {}
}

/** The rows of the forecast form, and the forecast for each horizon. */
export class ForecastForm {
  readonly window: WindowEditor;
  readonly forecasts: HorizonForecast[];
  /** The horizon whose explanation is open. */
  explained = $state<string | null>(null);
  readonly liveData = new Resource<Window>();
  /** The rows that the forecasts on the screen are based on. */
  #sentRows: Observation[] = [];

  constructor(
    private readonly api: Api,
    private readonly plant: PlantView,
  ) {
    this.window = new WindowEditor(plant.tags, plant.window_rows);
    this.forecasts = forecastHorizons(plant.models).map((horizon) => new HorizonForecast(horizon));
  }

  get busy(): boolean {
    return this.forecasts.some(({ forecast }) => forecast.loading);
  }

  get submitted(): boolean {
    return this.forecasts.some(({ forecast }) => forecast.value ?? forecast.problem);
  }

  /** Start with live data, unless the user enters values first. */
  open(): Promise<void> {
    return this.loadLiveData(() => this.window.empty);
  }

  /** Fill the form with the rows of the server's own forecast: they give the same scores. */
  async loadLiveData(isWanted = () => true): Promise<void> {
    const window = await this.liveData.load(() => bodyOf(this.api.GET('/infer/window')));
    if (window?.intervals.length && isWanted()) this.window.fill(window.intervals);
  }

  /** The end of the newest loaded row, in milliseconds; null where rows were entered by hand. */
  get until(): number | null {
    const start = this.window.newestStart;
    return start === null ? null : start + this.plant.cadence_seconds * 1000;
  }

  async submit(): Promise<void> {
    if (this.window.problem) return;
    this.#sentRows = this.window.rows();
    this.forecasts.forEach(({ explanation }) => explanation.clear());
    await Promise.all(this.forecasts.map((forecast) => this.#load(forecast)));
    const first = this.forecasts.find(({ forecast }) => forecast.value?.alarm);
    const explained = first ?? this.forecasts.at(-1);
    if (explained?.forecast.value) await this.explain(explained);
  }

  /** Open an explanation. It is requested once for each forecast. */
  async explain({ horizon, explanation }: HorizonForecast): Promise<void> {
    this.explained = horizon;
    if (explanation.value || explanation.loading) return;
    const recent_observations = this.#sentRows;
    await explanation.load(() =>
      bodyOf(
        this.api.POST('/infer/explain', {
          body: { horizon: horizon, recent_observations },
        }),
      ),
    );
  }

  #load({ horizon, forecast }: HorizonForecast): Promise<Forecast | null> {
    const recent_observations = this.#sentRows;
    return forecast.load(() =>
      bodyOf(
        this.api.POST('/infer/forecast', {
          body: { horizon: horizon, recent_observations },
        }),
      ),
    );
  }
}
