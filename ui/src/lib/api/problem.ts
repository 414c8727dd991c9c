/** Why a request failed, in words for a person. */
export class Problem extends Error {
  constructor(
    /** The HTTP status; 0: no response at all. */
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

type Result<T> = { data?: T; error?: unknown; response: Response };

/** The body of a successful response; every failure is thrown as a Problem. */
export async function bodyOf<T>(request: Promise<Result<T>>): Promise<T> {
  const { data, error, response } = await request.catch((cause: unknown) => {
    throw cause instanceof Problem ? cause : new Problem(0, 'The server cannot be reached.');
  });
  if (!response.ok) throw new Problem(response.status, detailOf(error, response.status));
  return data as T;
}

/** The message of a problem body (RFC 9457, or the list of FastAPI's validation errors). */
function detailOf(body: unknown, status: number): string {
  const detail = (body as { detail?: unknown } | null)?.detail;
  if (typeof detail === 'string') return detail;
  if (Array.isArray(detail))
    return detail.map((error: { msg?: string }) => error.msg ?? '').join('; ');
  return `The server returned the error ${status}.`;
}

export function problemOf(cause: unknown): Problem {
  if (cause instanceof Problem) return cause;
  return new Problem(0, cause instanceof Error ? cause.message : String(cause));
}
