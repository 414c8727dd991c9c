import { problemOf, type Problem } from '../api/problem';

/** A value from the server with the state of its request. A new request overrides earlier ones. */
export class Resource<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  loading = $state(false);
  #latest = 0;

  /** Send a request; its value, or null where it failed or a later request has overridden it. */
  async load(request: () => Promise<T>): Promise<T | null> {
    const number = ++this.#latest;
    this.loading = true;
    try {
      const value = await request();
      if (number !== this.#latest) return null;
      this.value = value;
      this.problem = null;
      return value;
    } catch (cause) {
      if (number === this.#latest) this.problem = problemOf(cause);
      return null;
    } finally {
      if (number === this.#latest) this.loading = false;
    }
  }

  clear(): void {
    this.#latest++;
    this.value = this.problem = null;
    this.loading = false;
  }
}
