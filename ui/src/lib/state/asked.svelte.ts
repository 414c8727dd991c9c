import { problemOf, type Problem } from '../api/problem';

/** A question to the server and what became of it. A later question makes earlier answers void. */
export class Asked<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  loading = $state(false);
  #number = 0;

  async ask(question: () => Promise<T>): Promise<T | null> {
    const number = ++this.#number;
    this.loading = true;
    try {
      const value = await question();
      if (number !== this.#number) return null;
      this.value = value;
      this.problem = null;
      return value;
    } catch (cause) {
      if (number === this.#number) this.problem = problemOf(cause);
      return null;
    } finally {
      if (number === this.#number) this.loading = false;
    }
  }

  clear(): void {
    this.#number++;
    this.value = this.problem = null;
    this.loading = false;
  }
}
