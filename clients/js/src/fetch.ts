import { SignedOutError } from './errors.js';
import type { Session } from './session.js';
import type { Kept } from './storage.js';

/** What an authorized fetch is made of. */
export interface FetchOptions {
  readonly session: Session;
  /** The origins that may have the token. */
  readonly allowed: ReadonlySet<string>;
  readonly cookie: boolean;
  readonly send: typeof fetch;
}

/** Returns a fetch that adds the session to requests to the allowed origins. */
export function authorizedFetch(options: FetchOptions): typeof fetch {
  const { session, allowed, cookie, send } = options;
  /** The last token that each origin has refused although it was new. Another one would be refused as well. */
  const hopeless = new Map<string, Kept>();

  /** Sends the request as the session is now. It is made anew each time: a body can be read once. */
  const attempt = (input: Request | URL, init: RequestInit): Promise<Response> => {
    if (cookie || !session.current) return send(new Request(input, init)); // the browser adds the cookie
    const asked = input instanceof Request ? input : undefined;
    const follow = init.redirect ?? asked?.redirect;
    const request = new Request(input, {
      ...(asked && { referrer: asked.referrer, referrerPolicy: asked.referrerPolicy }), // which any init takes away
      ...init,
      redirect: follow === 'manual' ? follow : 'error',
    });
    if (allowed.has(new URL(request.url).origin)) request.headers.set('Authorization', 'Bearer ' + session.current.token);
    return send(request);
  };

  return async (resource, given) => {
    let input = resource instanceof Request ? resource : new URL(resource, here());
    let init = given ?? {};
    if (init instanceof Request) [input, init] = [new Request(input, init), {}]; // its members are not its own
    const asked = input instanceof Request ? input : undefined;
    const { origin } = asked ? new URL(asked.url) : (input as URL);
    if (!allowed.has(origin)) return send(input, init);
    const headers = new Headers(init.headers ?? asked?.headers);
    if (init.headers) init = { ...init, headers }; // an iterator can be read once
    if (headers.has('Authorization')) return send(input, init);

    const signal = init.signal === undefined ? asked?.signal : init.signal;
    try {
      await within(signal, () => session.ready());
    } catch (error) {
      if (!(error instanceof SignedOutError) || session.current) throw error; // never in the name of another login
    }
    const used = session.current;
    const again = repeatable(asked, init);
    const response = await attempt(input, init);
    if (used === null || !again || !refusesToken(response, cookie) || (used && hopeless.get(origin) === used)) return response;

    if (session.current === used) { // else another request has found out before
      try {
        await within(signal, () => session.refresh());
      } catch (error) {
        if (!(error instanceof SignedOutError)) throw error;
      }
    }
    const renewed = session.current;
    if (!renewed || (used && renewed.login !== used.login)) return response; // nor is it repeated so
    await response.body?.cancel();
    const last = await attempt(input, init);
    if (refusesToken(last, cookie)) hopeless.set(origin, renewed);
    return last;
  };
}

/** Does the work, and waits for it no longer than the signal lets it. */
function within(signal: AbortSignal | null | undefined, work: () => Promise<void>): Promise<void> {
  if (!signal) return work();
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort);
    work().then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Returns what relative URLs are relative to; undefined where there is no such thing. */
function here(): string | undefined {
  return typeof document !== 'undefined' ? document.baseURI : typeof location !== 'undefined' ? location.href : undefined;
}

/** Reports whether a request can be made a second time: a stream is gone once it is read. */
function repeatable(asked: Request | undefined, init: RequestInit): boolean {
  const body: unknown = init.body;
  if (body === undefined || body === null) {
    return asked === undefined || asked.body === null || /^(GET|HEAD)$/.test(asked.method); // not all browsers have Request.body
  }
  return typeof body !== 'object' || !(Symbol.asyncIterator in body || body instanceof ReadableStream);
}

/**
 * Reports whether an answer says that the token is not good (RFC 6750, section 3.1). Browsers hide the challenge of another origin
 * that does not expose it. In cookie mode the cookie of the token goes when the token expires, and then there was none.
 */
function refusesToken(response: Response, cookie: boolean): boolean {
  if (response.status !== 401) return false;
  const challenge = response.headers.get('WWW-Authenticate');
  return challenge === null || challenge.includes('error="invalid_token"') || (cookie && !challenge.includes('error='));
}
