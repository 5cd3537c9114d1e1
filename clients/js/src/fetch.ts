import { SignedOutError } from './errors.js';
import type { Session } from './session.js';

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

  /** Sends the request as the session is now. It is made anew each time: a body can be read once. */
  const attempt = (input: Request | URL, init: RequestInit | undefined): Promise<Response> => {
    if (cookie || !session.current) return send(new Request(input, init)); // the browser adds the cookie
    const follow = init?.redirect ?? (input instanceof Request ? input.redirect : 'follow');
    const request = new Request(input, { ...init, redirect: follow === 'manual' ? follow : 'error' });
    request.headers.set('Authorization', 'Bearer ' + session.current.token);
    return send(request);
  };

  return async (resource, init) => {
    const input = resource instanceof Request ? resource : new URL(resource, here());
    const asked = input instanceof Request ? input : undefined;
    const { origin } = asked ? new URL(asked.url) : (input as URL);
    const headers = new Headers(init?.headers ?? asked?.headers);
    if (!allowed.has(origin) || headers.has('Authorization')) return send(input, init);

    try {
      await session.ready();
    } catch (error) {
      if (!(error instanceof SignedOutError)) throw error;
    }
    const used = session.current;
    const again = repeatable(asked, init);
    const response = await attempt(input, init);
    if (used === null || !again || !refusesToken(response, cookie)) return response;

    if (session.current === used) { // else another request has found out before
      try {
        await session.refresh();
      } catch (error) {
        if (!(error instanceof SignedOutError)) throw error;
      }
    }
    const now = session.current;
    if (!now || (used !== undefined && now.login !== used.login)) return response; // never in the name of another login
    await response.body?.cancel();
    return attempt(input, init);
  };
}

/** Returns what relative URLs are relative to; undefined where there is no such thing. */
function here(): string | undefined {
  return typeof document !== 'undefined' ? document.baseURI : typeof location !== 'undefined' ? location.href : undefined;
}

/** Reports whether a request can be made a second time: a stream is gone once it is read. */
function repeatable(asked: Request | undefined, init: RequestInit | undefined): boolean {
  const body: unknown = init?.body;
  if (body === undefined || body === null) return asked === undefined || asked.body === null;
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
