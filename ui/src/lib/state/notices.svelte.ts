/** Short messages that go by themselves, each with at most one thing to do. */
export type Notice = {
  id: number;
  text: string;
  urgent: boolean;
  action: { title: string; run: () => void } | null;
};

const STAYS_MS = 10_000;

export class Notices {
  all = $state.raw<Notice[]>([]);
  #next = 1;
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>();

  tell(text: string, action: Notice['action'] = null, urgent = false): number {
    const id = this.#next++;
    this.all = [...this.all, { id, text, urgent, action }].slice(-3);
    this.release(id);
    return id;
  }

  problem(text: string): void {
    this.tell(text, null, true);
  }

  /** Somebody reads it: it stays. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
  }

  release(id: number): void {
    this.hold(id);
    this.#timers.set(
      id,
      setTimeout(() => this.close(id), STAYS_MS),
    );
  }

  close(id: number): void {
    this.hold(id);
    this.#timers.delete(id);
    this.all = this.all.filter((one) => one.id !== id);
  }
}
