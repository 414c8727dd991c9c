/** Why an answer did not come, in words for a person. */
export class Problem extends Error {
  constructor(
    /** 0: nothing answered at all. */
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'Problem';
  }

  get offline(): boolean {
    return this.status === 0;
  }
}

type Answered<T> = { data?: T; error?: unknown; response: Response };

/** The body of an answer; everything else becomes a Problem. */
export async function answer<T>(asked: Promise<Answered<T>>): Promise<T> {
  const { data, error, response } = await asked.catch((cause: unknown) => {
    throw cause instanceof Problem ? cause : new Problem(0, 'The server cannot be reached.');
  });
  if (!response.ok) throw new Problem(response.status, detail(error, response.status));
  return data as T;
}

/** The sentence in a problem body (RFC 9457, or a framework's own form). */
function detail(body: unknown, status: number): string {
  const told = (body as { detail?: unknown } | null)?.detail;
  if (typeof told === 'string') return told;
  if (Array.isArray(told)) return told.map((one: { msg?: string }) => one.msg ?? '').join('; ');
  return `The server answered ${status}.`;
}

export function problemOf(cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  return new Problem(0, cause instanceof Error ? cause.message : String(cause));
}
