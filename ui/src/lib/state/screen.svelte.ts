import { createContext } from 'svelte';
import { answer } from '../api/problem';
import type { PlantView } from '../api/types';
import { Asked } from './asked.svelte';
import { AutoAssess } from './auto.svelte';
import { Keys } from './keys.svelte';
import { LivePlant } from './live.svelte';
import { Notices } from './notices.svelte';
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
  readonly time = $derived(new PlantTime(this.view.value?.timezone ?? 'UTC'));

  constructor(readonly session = new Session()) {
    this.live = new LivePlant(session);
    this.auto = new AutoAssess(session, this.live);
  }

  get api() {
    return this.session.api;
  }

  /** The plant's description. Pages are shown only once it is there. */
  get plant(): PlantView {
    if (!this.view.value) throw new Error('The plant is not known yet.');
    return this.view.value;
  }

  loadPlant(): Promise<PlantView | null> {
    return this.view.ask(() => answer(this.api.GET('/plant')) as Promise<PlantView>);
  }

  /** A feature or key in words: the instrument's title where one is behind it. */
  titleOf(key: string | null): string | null {
    return this.view.value?.tags.find((one) => one.key === key)?.title ?? null;
  }
}

export const [useScreen, provideScreen] = createContext<Screen>();
