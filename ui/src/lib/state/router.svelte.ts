/** The address after `#`: a path of words and a query. */
export class Router {
  #hash = $state(location.hash);
  readonly #address = $derived(new URL(this.#hash.replace(/^#/, '') || '/', 'hash://screen'));
  readonly path = $derived(this.#address.pathname.split('/').filter(Boolean));
  readonly query = $derived(this.#address.searchParams);
  readonly page = $derived(this.path[0] ?? 'dashboard');

  /** Follow the address bar; returns how to stop. */
  listen(): () => void {
    const follow = () => (this.#hash = location.hash);
    window.addEventListener('hashchange', follow);
    return () => window.removeEventListener('hashchange', follow);
  }

  go(path: string, query: Record<string, string> = {}): void {
    location.hash = href(path, query);
    this.#hash = location.hash;
  }

  /** Change the query without a step in the browser's history. */
  note(query: Record<string, string>): void {
    history.replaceState(history.state, '', href(this.path.join('/'), query));
    this.#hash = location.hash;
  }
}

/** An address within the screen. */
export function href(path: string, query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${path}${search ? `?${search}` : ''}`;
}
