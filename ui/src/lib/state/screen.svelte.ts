import { createContext } from 'svelte';
import { answer } from '../api/problem';
import type { PlantModel, PlantView } from '../api/types';
import { Asked } from './asked.svelte';
import { AutoAssess } from './auto.svelte';
import { EventList } from './events.svelte';
import { Keys } from './keys.svelte';
import { LivePlant } from './live.svelte';
import { modelFigure, type ModelFigure } from './model-figure';
import { Notices } from './notices.svelte';
import { assessmentGap, headline, type Sight } from './plant-state';
import { PlantTime } from './plant-time';
import { Router } from './router.svelte';
import { Session } from './session.svelte';
import { Theme } from './theme.svelte';

/** What every page may use. */
export class Screen {
  readonly router = new Router();
  readonly theme = new Theme();
  readonly keys = new Keys();
  readonly notices = new Notices();
  readonly view = new Asked<PlantView>();
  readonly live: LivePlant;
  readonly auto: AutoAssess;
  readonly events: EventList;
  readonly time = $derived(new PlantTime(this.view.value?.timezone ?? 'UTC'));
  /** What the headline says. */
  readonly headline = $derived.by(() => headline(this.#sight()));
  /** Why the last assessment says nothing of now; null while it does. */
  readonly assessmentGap = $derived.by(() => assessmentGap(this.#sight()));
  /** Why no figure of a model can be taken as current; null while it can. */
  readonly withoutFigures = $derived.by(() => this.live.blind ?? this.assessmentGap);

  constructor(readonly session = new Session()) {
    this.live = new LivePlant(session);
    this.auto = new AutoAssess(session, this.live);
    this.events = new EventList(session);
  }

  get api() {
    return this.session.api;
  }

  /** The plant's description. Pages are shown only once it is there. */
  get plant(): PlantView {
    if (!this.view.value) throw new Error('The plant is not known yet.');
    return this.view.value;
  }

  #sight(): Sight {
    const { plant, time } = this;
    const { state, status, latest, plantNow, blind } = this.live;
    return { plant, time, state, status, latest, plantNow, blind };
  }

  loadPlant(): Promise<PlantView | null> {
    return this.view.ask(() => answer(this.api.GET('/plant')) as Promise<PlantView>);
  }

  /** What the card of a model shows. */
  figureOf(model: PlantModel): ModelFigure {
    const { live, time, withoutFigures: without } = this;
    const { latest, plantNow } = live;
    return modelFigure({
      model,
      latest,
      state: live.blind ? null : live.state,
      without,
      time,
      plantNow,
    });
  }

  /** A feature or key in words: the instrument's title where one is behind it. */
  titleOf(key: string | null): string | null {
    return this.view.value?.tags.find((one) => one.key === key)?.title ?? null;
  }
}

export const [useScreen, provideScreen] = createContext<Screen>();
