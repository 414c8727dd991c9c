import { readPreference, savePreference } from './preferences';

export type Shortcut = { key: string; title: string; run: () => void };

/**
 * Single-key shortcuts. They do nothing while a user types, and can be switched off, because speech
 * input can trigger them by accident (WCAG 2.1.4).
 */
export class Shortcuts {
  on = $state(readPreference('keys', 'on') === 'on');
  /** Whether the list of shortcuts is open. */
  open = $state(false);
  all = $state.raw<Shortcut[]>([]);

  /** Add shortcuts; returns a function that removes them. */
  add(shortcuts: Shortcut[]): () => void {
    this.all = [...this.all, ...shortcuts];
    return () => (this.all = this.all.filter((shortcut) => !shortcuts.includes(shortcut)));
  }

  toggle(): void {
    this.on = !this.on;
    savePreference('keys', this.on ? 'on' : 'off');
  }

  readonly press = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector('dialog[open]')) return;
    const pressed = event.key.toLowerCase();
    if (pressed === '?') this.open = true;
    else if (this.on) this.all.findLast((shortcut) => shortcut.key === pressed)?.run();
  };
}

function isTyping(target: EventTarget | null): boolean {
  const fields = 'input, select, textarea, [contenteditable="true"]';
  return target instanceof HTMLElement && target.matches(fields);
}
