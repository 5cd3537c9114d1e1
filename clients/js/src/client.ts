import { systemClock, type Clock } from './clock.js';
import { CountersignError, SignedOutError, members } from './errors.js';
import { authorizedFetch } from './fetch.js';
import { Session, type SessionEvent } from './session.js';
import { defaultStorage, forgiving, type SessionStorage } from './storage.js';
import { Wire, answerOf, type Answer } from './wire.js';

/** How long a tab waits for another one, in milliseconds, before it takes it for frozen. */
const patience = 5000;

/** How a client is made. */
export interface ClientOptions {
  /** The server's URL, and the path before its routes if there is one. In cookie mode it is of the page's own origin. */
  readonly baseURL: string;
  /** `token`, the default: the tokens are in the storage. `cookie`: they are where no script can read them; in browsers only. */
  readonly session?: 'token' | 'cookie';
  /** Where the session is kept: the default is localStorage in pages, and the memory elsewhere. In cookie mode no secret is kept in it. */
  readonly storage?: SessionStorage;
  /** Origins beside that of baseURL whose requests get the token, such as `https://api.example.com`. */
  readonly origins?: readonly string[];
  /** How long the server's own routes may take to answer, in milliseconds; 15000 is the default. */
  readonly timeout?: number;
  /** Is called in place of the platform's fetch. */
  readonly fetch?: typeof fetch;
  /** Is read in place of the machine's clocks. */
  readonly clock?: Clock;
}

/** What proves who logs in, and what signs up. */
export interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** A user as /user/profile and /signup know them. */
export interface User {
  readonly _id: string;
  readonly email: string;
}

/** A session in the list of a user's. Times are RFC 3339. */
export interface SessionInfo {
  readonly id: string;
  /** What the client says of itself: nothing vouches for it. */
  readonly device: string;
  /** Its address at the last use. */
  readonly client: string;
  readonly created_at: string;
  readonly last_used_at: string;
  readonly expires_at: string;
  /** Whether it is the one that asks. */
  readonly current: boolean;
}

/**
 * Client is one user's session at a Countersign server, in this tab and in all others with the same server and storage.
 *
 * What the server refuses is a {@link CountersignError}, what does not reach it a NetworkError, and what needs somebody signed in
 * a {@link SignedOutError} if nobody is.
 */
export class Client {
  readonly #session: Session;
  readonly #wire: Wire;
  readonly #cookie: boolean;
  readonly #fetch: typeof fetch;
  readonly #leave: () => void;
  #user: User | undefined;

  /** Throws a TypeError if the options make no sense. */
  constructor(options: ClientOptions) {
    const base = baseOf(options.baseURL);
    const { session: mode = 'token', origins = [], timeout = 15_000, clock = systemClock } = options;
    if (mode !== 'token' && mode !== 'cookie') throw new TypeError('session is token or cookie.');
    if (!Number.isInteger(timeout) || timeout <= 0 || timeout >= 2 ** 31) { // which is what timers can do
      throw new TypeError('timeout is a whole number of milliseconds, of less than 25 days.');
    }
    this.#cookie = mode === 'cookie';
    if (this.#cookie && base.origin !== ownOrigin()) throw new TypeError("In cookie mode baseURL is of the page's own origin.");
    const send = options.fetch ?? ((input, init) => fetch(input, init)); // a page may replace its fetch later
    const href = base.origin + base.pathname.replace(/\/+$/, '');
    this.#wire = new Wire({ base: href, cookie: this.#cookie, timeout, send });
    const key = `countersign:${mode}:${href}`;
    const storage = forgiving(options.storage ?? defaultStorage());
    const shared = options.storage !== undefined || typeof document !== 'undefined';
    this.#session = new Session({ wire: this.#wire, key, cookie: this.#cookie, storage, shared, clock, patience: Math.min(timeout, patience) });
    this.#session.listen((event) => {
      if (event.type !== 'refreshed') this.#user = undefined;
    });
    const allowed = new Set([base.origin, ...origins.map(originOf)]);
    this.#fetch = authorizedFetch({ session: this.#session, allowed, cookie: this.#cookie, send });
    this.#leave = attend(this.#session, key);
  }

  /** Whether somebody is signed in; undefined in cookie mode as long as the server has not been asked, which {@link refresh} and {@link profile} do. */
  get signedIn(): boolean | undefined {
    return this.#session.signedIn;
  }

  /** The user as {@link profile} last knew them; undefined before. */
  get user(): User | undefined {
    return this.#user;
  }

  /** Makes a user, who is not signed in by that. */
  async signUp(credentials: Credentials): Promise<User> {
    const { email, password } = credentials;
    const answer = await this.#wire.post('/signup', { email, password }, hasUser);
    return userOf(answer);
  }

  /** Signs a user in, in all tabs. `remember: false` ends the session after a day; in cookie mode also with the browser. */
  async logIn(credentials: Credentials & { readonly remember?: boolean }): Promise<void> {
    this.#open();
    const { email, password, remember = true } = credentials;
    await this.#session.begin('/login', { email, password, ...(this.#cookie && { session: 'cookie' }), ...(!remember && { remember }) });
  }

  /**
   * Ends this session, in all tabs, or `all` of the user, or all `others`.
   *
   * With tokens, this one is over here even if the server is not reached, which then is a NetworkError: there it lives on until
   * nobody has refreshed it for long enough. In every other case such an error leaves all as it was.
   */
  async logOut(options: { readonly scope?: 'this' | 'others' | 'all' } = {}): Promise<void> {
    this.#open();
    await this.#session.logOut(options.scope ?? 'this');
  }

  /** Returns an access token that is good for some while yet. In cookie mode there is none to give, which is a TypeError. */
  async getToken(): Promise<string> {
    this.#open();
    if (this.#cookie) throw new TypeError('In cookie mode no script has the token.');
    await this.#session.ready();
    const kept = this.#session.current;
    if (!kept) throw new SignedOutError('Nobody is signed in.');
    return kept.token;
  }

  /** Renews the tokens now. All who call it at the same time, in all tabs, share one request. */
  async refresh(): Promise<void> {
    this.#open();
    await this.#session.refresh();
  }

  /**
   * Is fetch with the session's token, for the origins that may have it; for all others it is fetch as it is.
   *
   * A token that is refused (401) is renewed and the request sent once more, unless its body is a stream or in a Request. With a
   * token, redirects are not followed: they are a network error, or an answer if the request says `redirect: 'manual'`.
   */
  readonly fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    this.#open();
    return this.#fetch(input, init);
  };

  /** Asks the server who is signed in. */
  async profile(): Promise<User> {
    await this.#known();
    const login = this.#session.current?.login;
    const user = userOf(await this.#ask('GET', '/user/profile', hasUser));
    if (login === this.#session.current?.login) this.#user = user; // else somebody else is signed in by now
    return user;
  }

  /** Lists the user's living sessions, the one used last first. */
  async sessions(): Promise<SessionInfo[]> {
    const answer = await this.#ask('GET', '/user/sessions', (a) => Array.isArray(a['sessions']));
    return answer['sessions'] as SessionInfo[];
  }

  /** Ends one of the user's sessions, by its id in the list. */
  async endSession(id: string): Promise<void> {
    if (!/^[\w-]+$/.test(id)) throw new TypeError('The id of a session is letters, digits and hyphens.'); // and never a way to another route
    await this.#ask('DELETE', '/user/sessions/' + id);
  }

  /** Calls the listener with each change, also by another tab. Returns what ends that. */
  onChange(listener: (event: SessionEvent) => void): () => void {
    return this.#session.listen(listener);
  }

  /** Ends the work in the background, and the client with it. The session stays. */
  close(): void {
    this.#leave();
    this.#session.close();
  }

  async #ask(method: string, path: string, good?: (answer: Answer) => boolean): Promise<Answer> {
    await this.#known();
    try {
      return await answerOf(() => this.#fetch(this.#wire.url(path), { ...this.#wire.init(), method }), good);
    } catch (error) {
      if (error instanceof CountersignError && error.status === 401 && this.#session.signedIn === false) {
        throw new SignedOutError('The server has ended the session.', { cause: error });
      }
      throw error;
    }
  }

  /** Makes sure that somebody is signed in. In cookie mode the server may have to be asked. */
  async #known(): Promise<void> {
    this.#open();
    if (this.signedIn === undefined) await this.#session.refresh();
    if (this.signedIn === false) throw new SignedOutError('Nobody is signed in.');
  }

  #open(): void {
    if (this.#session.closed) throw new TypeError('The client is closed.');
  }
}

/** Makes a client. See {@link ClientOptions}. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}

/** Lets the session know what happens to the page, and returns what ends that. */
function attend(session: Session, key: string): () => void {
  if (typeof window === 'undefined') return () => undefined;
  const leaving = new AbortController();
  const on = (target: EventTarget, type: string, call: (event: Event) => void): void =>
    target.addEventListener(type, call, { signal: leaving.signal });
  on(window, 'storage', (event) => {
    const changed = (event as StorageEvent).key;
    if (changed === key || changed === null) session.look();
  });
  on(window, 'online', () => session.online());
  on(window, 'pageshow', () => session.wake());
  on(document, 'visibilitychange', () => session.wake());
  session.wake();
  return () => leaving.abort();
}

function ownOrigin(): string | undefined {
  return typeof location === 'undefined' || location.origin === 'null' ? undefined : location.origin; // null: a page without an address of its own
}

function baseOf(text: string): URL {
  const url = new URL(text, ownOrigin());
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError('baseURL is an http or https URL without user, query and fragment.');
  }
  return url;
}

function originOf(text: string): string {
  const url = new URL(text);
  if (!/^https?:$/.test(url.protocol) || url.origin !== text) throw new TypeError('An origin is scheme, host and port, and no more.');
  return url.origin;
}

function hasUser(answer: Answer): boolean {
  const { _id, email } = members(answer['user']);
  return typeof _id === 'string' && typeof email === 'string';
}

function userOf(answer: Answer): User {
  const { _id, email } = answer['user'] as User;
  return { _id, email };
}
