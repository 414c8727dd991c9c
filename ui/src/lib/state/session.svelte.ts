import { bodyOf, Problem, problemOf } from '../api/problem';
import { BASE, createApi, type Api } from '../api/client';
import type { Person, Role } from '../api/types';

type Fetch = (request: Request) => Promise<Response>;
type Login = { access_token: string; person: Person };

/** Each role may do what the roles before it may do. */
const ROLES: Role[] = ['viewer', 'operator', 'engineer', 'admin'];

/**
 * The login of the user. The access token is kept in memory only; a cookie that scripts cannot read
 * renews it. In the phase `expired`, the token could not be renewed: the page stays, with the
 * user's input, until the user logs in again.
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
    return this.person !== null && ROLES.indexOf(this.person.role) >= ROLES.indexOf(role);
  }

  /** Send a request with the token. After a 401, renew the token once and send it again. */
  readonly fetch = async (request: Request): Promise<Response> => {
    if (request.url.startsWith(`${this.origin}${BASE}/auth/`)) return this.send(request);
    const copy = request.clone();
    const usedToken = this.#token;
    const response = await this.send(this.#signed(request));
    if (response.status !== 401) return response;
    if (this.#token === usedToken && !(await this.#renew())) return response;
    return this.send(this.#signed(copy));
  };

  /** Continue an earlier login if its cookie is still valid. */
  async start(): Promise<void> {
    this.phase = 'starting';
    this.problem = null;
    try {
      this.#accept(await bodyOf(this.api.POST('/auth/refresh')));
    } catch (cause) {
      const problem = problemOf(cause);
      const later = problem.status >= 500 || problem.status === 429;
      if (problem.offline || later) this.problem = problem;
      else this.phase = 'out';
    }
  }

  async login(username: string, password: string): Promise<void> {
    const body = { username, password };
    const bodySerializer = (fields: typeof body) => new URLSearchParams(fields);
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    this.#accept(await bodyOf(this.api.POST('/auth/login', { body, bodySerializer, headers })));
  }

  async register(username: string, password: string, invitation: string | null): Promise<void> {
    this.#accept(
      await bodyOf(this.api.POST('/auth/register', { body: { username, password, invitation } })),
    );
  }

  async logout(): Promise<void> {
    await this.api.POST('/auth/logout').catch(() => undefined);
    this.#token = this.person = null;
    this.phase = 'out';
  }

  #accept(login: Login): void {
    this.#token = login.access_token;
    this.person = login.person;
    this.phase = 'in';
  }

  #signed(request: Request): Request {
    if (this.#token) request.headers.set('Authorization', `Bearer ${this.#token}`);
    return request;
  }

  /** Renew the token. Requests that need it at the same time share one renewal. */
  #renew(): Promise<boolean> {
    this.#renewing ??= this.#renewOnce().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #renewOnce(): Promise<boolean> {
    try {
      this.#accept(await bodyOf(this.api.POST('/auth/refresh')));
      return true;
    } catch (cause) {
      const problem = problemOf(cause);
      if (problem.status === 401 || problem.status === 403) this.phase = 'expired';
      return false;
    }
  }
}
