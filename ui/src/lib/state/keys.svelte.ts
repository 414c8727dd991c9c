import { keep, kept } from './kept';

/** Something a key does. */
export type Shortcut = { key: string; title: string; run: () => void };

/** Single keys, never while somebody types. They can be switched off, for people who speak to their computer. */
export class Keys {
  on = $state(kept('keys', 'on') === 'on');
  open = $state(false);
  all = $state.raw<Shortcut[]>([]);

  /** Offer shortcuts; returns how to take them back. */
  offer(shortcuts: Shortcut[]): () => void {
    this.all = [...this.all, ...shortcuts];
    return () => (this.all = this.all.filter((one) => !shortcuts.includes(one)));
  }

  toggle(): void {
    this.on = !this.on;
    keep('keys', this.on ? 'on' : 'off');
  }

  readonly press = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector('dialog[open]')) return;
    if (event.key === '?') this.open = true;
    else if (this.on) this.all.findLast((one) => one.key === event.key.toLowerCase())?.run();
  };
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.matches('input, select, textarea, [contenteditable="true"]')
  );
}
