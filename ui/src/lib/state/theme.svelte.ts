import { keep, kept } from './kept';

/** Light grey by default; dim for a dark control room. */
export class Theme {
  name = $state<'light' | 'dim'>(kept('theme', 'light') === 'dim' ? 'dim' : 'light');

  constructor() {
    this.#show();
  }

  toggle(): void {
    this.name = this.name === 'dim' ? 'light' : 'dim';
    keep('theme', this.name);
    this.#show();
  }

  #show(): void {
    document.documentElement.dataset.theme = this.name;
  }
}
