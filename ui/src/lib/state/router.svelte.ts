/** The part of the address after `#`: a path and a query. */
export class Router {
  #hash = $state(location.hash);
  readonly #address = $derived(new URL(this.#hash.replace(/^#/, '') || '/', 'hash://screen'));
  readonly path = $derived(this.#address.pathname.split('/').filter(Boolean));
  readonly query = $derived(this.#address.searchParams);
  readonly page = $derived(this.path[0] ?? 'dashboard');

  /** Follow changes of the address; returns a function that stops this. */
  listen(): () => void {
    const update = () => (this.#hash = location.hash);
    window.addEventListener('hashchange', update);
    return () => window.removeEventListener('hashchange', update);
  }

  go(path: string, query: Record<string, string> = {}): void {
    location.hash = href(path, query);
    this.#hash = location.hash;
  }

  /** Change the query without a new entry in the browser's history. */
  setQuery(query: Record<string, string>): void {
    history.replaceState(history.state, '', href(this.path.join('/'), query));
    this.#hash = location.hash;
  }
}

/** The address of a page of the screen. */
export function href(path: string, query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${path}${search ? `?${search}` : ''}`;
}
