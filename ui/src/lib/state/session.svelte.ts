import { answer, Problem, problemOf } from '../api/problem';
import { BASE, createApi, type Api } from '../api/client';
import type { Person, Role } from '../api/types';

type Fetch = (request: Request) => Promise<Response>;
type Granted = { access_token: string; person: Person };

const RANK: Role[] = ['viewer', 'operator', 'engineer', 'admin'];

/**
 * Who is at the screen. The access token lives in memory alone; a cookie that no script can read renews it.
 * `expired`: renewing failed while somebody was at work; the page stays, with what was typed, until they log in again.
 */
export class Session {
  phase = $state<'starting' | 'out' | 'in' | 'expired'>('starting');
  person = $state.raw<Person | null>(null);
  problem = $state.raw<Problem | null>(null);
  readonly api: Api;
  #token: string | null = null;
  #renewing: Promise<boolean> | null = null;

  constructor(
    private readonly send: Fetch = (request) => fetch(request),
    private readonly origin = location.origin,
  ) {
    this.api = createApi(this.fetch, origin);
  }

  may(role: Role): boolean {
    return this.person !== null && RANK.indexOf(this.person.role) >= RANK.indexOf(role);
  }

  /** Send with the token; on 401 renew it once and send again. */
  readonly fetch = async (request: Request): Promise<Response> => {
    if (request.url.startsWith(`${this.origin}${BASE}/auth/`)) return this.send(request);
    const again = request.clone();
    const used = this.#token;
    const response = await this.send(this.#signed(request));
    if (response.status !== 401) return response;
    if (this.#token === used && !(await this.#renew())) return response;
    return this.send(this.#signed(again));
  };

  /** Go on with an earlier login, if its cookie is still good. */
  async start(): Promise<void> {
    this.phase = 'starting';
    this.problem = null;
    try {
      this.#accept(await answer(this.api.POST('/auth/refresh')));
    } catch (cause) {
      const problem = problemOf(cause);
      if (problem.offline || problem.status >= 500) this.problem = problem;
      else this.phase = 'out';
    }
  }

  async login(username: string, password: string): Promise<void> {
    const body = { username, password };
    const bodySerializer = (typed: typeof body) => new URLSearchParams(typed);
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    this.#accept(await answer(this.api.POST('/auth/login', { body, bodySerializer, headers })));
  }

  async register(username: string, password: string, invitation: string | null): Promise<void> {
    this.#accept(
      await answer(this.api.POST('/auth/register', { body: { username, password, invitation } })),
    );
  }

  async logout(): Promise<void> {
    await this.api.POST('/auth/logout').catch(() => undefined);
    this.#token = this.person = null;
    this.phase = 'out';
  }

  #accept(granted: Granted): void {
    this.#token = granted.access_token;
    this.person = granted.person;
    this.phase = 'in';
  }

  #signed(request: Request): Request {
    if (this.#token) request.headers.set('Authorization', `Bearer ${this.#token}`);
    return request;
  }

  /** One renewal at a time, whoever asks. */
  #renew(): Promise<boolean> {
    this.#renewing ??= this.#renewOnce().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #renewOnce(): Promise<boolean> {
    try {
      this.#accept(await answer(this.api.POST('/auth/refresh')));
      return true;
    } catch (cause) {
      const problem = problemOf(cause);
      if (problem.status === 401 || problem.status === 403) this.phase = 'expired';
      return false;
    }
  }
}
