import { CountersignError, NetworkError, members } from './errors.js';
import { isLifetime, isToken } from './storage.js';

/** The most that is read of an answer, in bytes after decompression. The largest true one, a list of sessions, is far below. */
const maxAnswer = 1 << 20;

/** A JSON object. */
export type Answer = Record<string, unknown>;

/** The tokens of an answer to /login or /token/refresh. In cookie mode both tokens are empty. */
export interface Tokens {
  readonly token: string;
  readonly refreshToken: string;
  /** How long the access token lives from the moment of the answer, in milliseconds. */
  readonly lifetime: number;
}

/** What a Wire is made of. */
export interface WireOptions {
  /** The server's URL, without a slash at its end. */
  readonly base: string;
  readonly cookie: boolean;
  /** How long an answer may take, in milliseconds. */
  readonly timeout: number;
  readonly send: typeof fetch;
}

/** Wire speaks to the server's own routes. It knows no session. */
export class Wire {
  readonly #options: WireOptions;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** Posts a JSON document and returns the answer's. An answer that is not `good` is an error. */
  async post(path: string, body: object, good?: (answer: Answer) => boolean): Promise<Answer> {
    const { send } = this.#options;
    return answerOf(() => send(this.url(path), {
      ...this.init(), method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    }), good);
  }

  /** Posts to a route that answers with tokens. */
  async tokens(path: string, body: object): Promise<Tokens> {
    const good = (value: unknown): boolean => this.#options.cookie ? value === undefined : isToken(value) && value !== '';
    const answer = await this.post(path, body, (a) => good(a['token']) && good(a['refresh_token']) && isLifetime(a['expires_in']));
    const { token = '', refresh_token: refreshToken = '' } = answer as Record<string, string>;
    return { token, refreshToken, lifetime: Number(answer['expires_in']) * 1000 };
  }

  url(path: string): string {
    return this.#options.base + path;
  }

  /**
   * Returns what every request to the server's own routes has: a time limit, and no redirects, which these never answer with.
   * With tokens in the header, cookies stay at home: a cookie session beside them would be a second token, which is a 400.
   */
  init(): RequestInit {
    const { timeout, cookie } = this.#options;
    return { signal: AbortSignal.timeout(timeout), redirect: 'error', credentials: cookie ? 'same-origin' : 'omit', cache: 'no-store' };
  }
}

/** Sends and reads a JSON object; {} of a 204, if nothing is wanted of it. What sending throws is a network error, unless it has a word from the server. */
export async function answerOf(send: () => Promise<Response>, good?: (answer: Answer) => boolean): Promise<Answer> {
  let response: Response;
  let text: string | undefined;
  try {
    response = await send();
    text = await textOf(response);
  } catch (cause) {
    if (cause instanceof CountersignError || cause instanceof NetworkError) throw cause;
    throw new NetworkError('The server could not be reached.', { cause });
  }
  if (response.status === 204 && good === undefined) return {};
  let body: unknown;
  try {
    body = JSON.parse(text ?? '');
  } catch {
    // what is no JSON is no answer of the server
  }
  const answer = members(body);
  if (!response.ok || answer !== body || good?.(answer) === false) throw new CountersignError(response, body);
  return answer;
}

/** Returns the body, and undefined when it is over the limit. */
async function textOf(response: Response): Promise<string | undefined> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  const decoder = new TextDecoder();
  let text = '';
  for (let size = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    if (size > maxAnswer) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
