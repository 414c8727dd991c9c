import { readPreference, savePreference } from './preferences';

/** The colours of the screen: light by default, dim for a dark control room. */
export class Theme {
  name = $state<'light' | 'dim'>(readPreference('theme', 'light') === 'dim' ? 'dim' : 'light');

  constructor() {
    this.#apply();
  }

  toggle(): void {
    this.name = this.name === 'dim' ? 'light' : 'dim';
    savePreference('theme', this.name);
    this.#apply();
  }

  #apply(): void {
    document.documentElement.dataset.theme = this.name;
  }
}
