/** A short message that closes by itself, with at most one action. */
export type Notice = { id: number; text: string; action: Action | null };
type Action = { title: string; run: () => void };

const SHOWN_MS = 10_000;
const MOST_AT_ONCE = 3;

export class Notices {
  all = $state.raw<Notice[]>([]);
  #nextId = 1;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  show(text: string, action: Action | null = null): void {
    const id = this.#nextId++;
    this.all = [...this.all, { id, text, action }].slice(-MOST_AT_ONCE);
    this.release(id);
  }

  /** Keep a notice open: a user reads it. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
  }

  /** Start its time again. */
  release(id: number): void {
    this.hold(id);
    const timer = setTimeout(() => this.close(id), SHOWN_MS);
    this.#timers.set(id, timer);
  }

  close(id: number): void {
    this.hold(id);
    this.#timers.delete(id);
    this.all = this.all.filter((notice) => notice.id !== id);
  }
}
