import { createContext } from 'svelte';
import { bodyOf } from '../api/problem';
import type { PlantModel, PlantView } from '../api/types';
import { AutoForecast } from './auto-forecast.svelte';
import { EventList } from './events.svelte';
import { forecastHorizons } from './horizon';
import { LivePlant } from './live.svelte';
import { modelScore, type ModelScore } from './model-score';
import { Notices } from './notices.svelte';
import { assessmentGap, headline, type Context } from './plant-state';
import { PlantTime } from './plant-time';
import { Resource } from './resource.svelte';
import { Router } from './router.svelte';
import { Session } from './session.svelte';
import { Shortcuts } from './shortcuts.svelte';
import { Theme } from './theme.svelte';

/** The state that all pages share. */
export class Screen {
  readonly router = new Router();
  readonly theme = new Theme();
  readonly shortcuts = new Shortcuts();
  readonly notices = new Notices();
  readonly view = new Resource<PlantView>();
  readonly live: LivePlant;
  readonly auto: AutoForecast;
  readonly events: EventList;
  readonly time = $derived(new PlantTime(this.view.value?.timezone ?? 'UTC'));
  /** The horizons that the plant has forecast models for. */
  readonly horizons = $derived(forecastHorizons(this.view.value?.models ?? []));
  readonly headline = $derived.by(() => headline(this.#context()));
  /** Why there is no current assessment; null while there is one. */
  readonly assessmentGap = $derived.by(() => assessmentGap(this.#context()));
  /** Why no score is current; null while scores are. */
  readonly noScoreReason = $derived.by(() => this.live.notLiveReason ?? this.assessmentGap);

  constructor(readonly session = new Session()) {
    this.live = new LivePlant(session);
    this.auto = new AutoForecast(session, this.live, () => this.horizons);
    this.events = new EventList(session);
  }

  get api() {
    return this.session.api;
  }

  /** The plant's description. Pages are shown only after it has been loaded. */
  get plant(): PlantView {
    if (!this.view.value) throw new Error('The description of the plant is not loaded yet.');
    return this.view.value;
  }

  loadPlant(): Promise<PlantView | null> {
    return this.view.load(() => bodyOf(this.api.GET('/plant')) as Promise<PlantView>);
  }

  /** What the card of a model shows. */
  scoreOf(model: PlantModel): ModelScore {
    const { live, time, noScoreReason } = this;
    const { latest, plantNow } = live;
    const state = live.notLiveReason ? null : live.state;
    return modelScore({ model, latest, state, noScoreReason, time, plantNow });
  }

  #context(): Context {
    const { plant, time } = this;
    const { state, status, latest, plantNow, notLiveReason } = this.live;
    return { plant, time, state, status, latest, plantNow, notLiveReason };
  }
}

export const [useScreen, provideScreen] = createContext<Screen>();
