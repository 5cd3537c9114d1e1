/** What a server says of one field of a request that it refused. */
export interface FieldProblem {
  readonly field: string;
  /** Stable, for programs: `too_short`, `format`, … */
  readonly code: string;
  /** For people, in English. */
  readonly detail: string;
}

/** Why a session is over: `logout`, here or in another tab; `ended`, by the server; `removed`, by who emptied the storage. */
export type EndReason = 'logout' | 'ended' | 'removed';

/** The server answered, and not with what was asked for. */
export class CountersignError extends Error {
  override readonly name = 'CountersignError';
  /** The HTTP status. */
  readonly status: number;
  /** Stable, for programs: `invalid_credentials`, … (docs/http.md); `unexpected_answer` for what is no answer of Countersign. */
  readonly code: string;
  /** For people, in English. */
  readonly detail: string;
  /** What is wrong with which field; often empty. */
  readonly errors: readonly FieldProblem[];
  /** Finds the request in the server's log. */
  readonly requestId: string | undefined;
  /** In how many seconds the server lets the next attempt in, if it said so. */
  readonly retryAfter: number | undefined;

  /** Reads `body` as a problem document (RFC 9457). Text that came in another form is not repeated. */
  constructor(answer: Response, body: unknown) {
    const problem = answer.ok ? {} : members(body);
    const detail = text(problem['detail']) ?? `The server answered ${answer.status}, and not as Countersign does.`;
    super(detail);
    this.status = answer.status;
    this.code = text(problem['code']) ?? 'unexpected_answer';
    this.detail = detail;
    this.errors = fieldsOf(problem['errors']);
    this.requestId = text(problem['request_id']) ?? answer.headers.get('X-Request-Id') ?? undefined;
    this.retryAfter = secondsUntil(answer.headers.get('Retry-After'));
  }
}

/** The server was not reached, did not answer in time, or the answer broke off. `cause` is what the platform said. It ends no session. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
}

/** Nobody is signed in, or no longer by the login with which the call began. `cause` is the server's refusal, if it was that which ended the session. */
export class SignedOutError extends Error {
  override readonly name = 'SignedOutError';
}

/** Returns the members of an object, and none of anything else. */
export function members(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function fieldsOf(value: unknown): FieldProblem[] {
  return (Array.isArray(value) ? value : []).map(members).map((each) => ({
    field: text(each['field']) ?? '', code: text(each['code']) ?? '', detail: text(each['detail']) ?? '',
  }));
}

/** Reads a Retry-After, which is a number of seconds or a date (RFC 9110, section 10.2.3). */
function secondsUntil(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : undefined;
}
