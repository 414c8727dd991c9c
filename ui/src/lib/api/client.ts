import createClient, { type Client } from 'openapi-fetch';
import type { paths } from './schema';

export type Api = Client<paths>;

export const BASE = '/api';

/** The typed API client. It sends every request through `fetch`, which adds the login. */
export function createApi(
  fetch: (request: Request) => Promise<Response>,
  origin = location.origin,
): Api {
  return createClient<paths>({ baseUrl: `${origin}${BASE}`, fetch });
}
