import { CountersignError, SignedOutError, members, type EndReason } from './errors.js';
import { pauseAfter, type Clock } from './clock.js';
import { endedFrom, keptFrom, parsed, type Kept, type SessionStorage } from './storage.js';
import { Tabs } from './tabs.js';
import type { Wire } from './wire.js';

/** What happened to the session, in this tab or another. */
export type SessionEvent =
  | { readonly type: 'signed-in' }
  | { readonly type: 'refreshed' }
  | { readonly type: 'signed-out'; readonly reason: EndReason };

/** What a Session is made of. */
export interface SessionOptions {
  readonly wire: Wire;
  /** Under which the session is kept. Clients with the same key, at the same storage, share one. */
  readonly key: string;
  readonly cookie: boolean;
  readonly storage: SessionStorage;
  /** Whether others may have the storage too. */
  readonly shared: boolean;
  readonly clock: Clock;
  /** How long a tab waits for another one, in milliseconds. */
  readonly patience: number;
}

const minute = 60_000;

/**
 * Session keeps the tokens of one login fresh, in memory and in a storage.
 *
 * The storage is what tabs share, and what is found there wins over what this tab knows: a tab may have been asleep. What comes from
 * the server is taken only if the session is still the one that it was asked for: a logout, or another tab, may have been faster.
 */
export class Session {
  readonly #wire: Wire;
  readonly #key: string;
  readonly #cookie: boolean;
  readonly #storage: SessionStorage;
  readonly #clock: Clock;
  readonly #tabs: Tabs;
  readonly #listeners = new Set<(event: SessionEvent) => void>();

  /** Null: nobody is signed in. Undefined: cookie mode, and nobody has asked the server yet. Another object with each change. */
  #kept: Kept | null | undefined;
  /** The text that was last seen in the storage. */
  #stored: string | null = null;
  /** When the access token was made, by the clock that nobody sets. */
  #since = 0;
  /** When, before the access token expires, it is refreshed in the background, in milliseconds. */
  #early = 0;
  /** The last login that has ended. A slower tab may write its tokens once more. */
  #over: string | undefined;
  #flight: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  /** Until when the background leaves the server alone, by the clock that nobody sets. */
  #rests = 0;
  /** The server's own word that it wants to hear nothing before that. */
  #refusal: CountersignError | undefined;
  #closed = false;

  constructor(options: SessionOptions) {
    this.#wire = options.wire;
    this.#key = options.key;
    this.#cookie = options.cookie;
    this.#storage = options.storage;
    this.#clock = options.clock;
    this.#tabs = new Tabs(options, (message) => this.#hear(message));
    this.#kept = this.#cookie ? undefined : null;
    this.look();
  }

  /** Calls the listener with each change from now on. Returns what ends that. */
  listen(listener: (event: SessionEvent) => void): () => void {
    const own = (event: SessionEvent): void => {
      if (this.#listeners.has(own)) listener(event); // nobody is told of what was on its way when they left
    };
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  get signedIn(): boolean | undefined {
    return this.#kept === undefined ? undefined : this.#kept !== null;
  }

  /** Returns the session as it is now; it is another object after each change. */
  get current(): Kept | null | undefined {
    return this.#kept;
  }

  /** Takes what another tab has left in the storage since. */
  look(): void {
    const text = this.#storage.getItem(this.#key);
    if (text === this.#stored) return;
    this.#stored = text;
    const value = text === null ? undefined : parsed(text);
    const ended = endedFrom(value);
    const kept = keptFrom(value);
    if (ended !== undefined) this.#forget(ended.ended);
    else if (kept !== undefined && kept.login === this.#over) this.#save({ login: kept.login, ended: 'logout' }); // a tab had not heard of it
    else if (kept !== undefined) this.#adopt(kept);
    else if (text === null && !this.#cookie) this.#forget('removed'); // what is there but rubbish says nothing
  }

  /** Waits until the access token is good for some while yet. Throws a SignedOutError if nobody is signed in, or another login by then. */
  async ready(): Promise<void> {
    this.look();
    const before = this.#kept;
    if (before === null) throw new SignedOutError('Nobody is signed in.');
    if (before === undefined || this.#left() > margin(before)) return;
    try {
      await this.refresh();
    } catch (error) {
      if (this.#kept !== before || this.#left() <= 0) throw error;
    }
    if (this.#kept?.login !== before.login) throw new SignedOutError('Another login has taken the place of this one.');
  }

  /** Renews the tokens, once for all who ask at the same time, in all tabs. */
  refresh(): Promise<void> {
    this.#flight ??= this.#fly().finally(() => {
      this.#flight = undefined;
      this.#plan();
    });
    return this.#flight;
  }

  async #fly(): Promise<void> {
    this.look();
    const before = this.#kept;
    if (this.#refusal !== undefined && this.#clock.monotonic() < this.#rests) throw this.#refusal;
    await this.#tabs.alone(async () => {
      this.look();
      if (this.#kept !== before || before === null) return false; // another tab has done it
      await this.#renew(before);
      return true;
    });
    if (this.#kept === null) throw new SignedOutError('Nobody is signed in.');
  }

  async #renew(before: Kept | undefined): Promise<void> {
    let tokens;
    try {
      tokens = await this.#wire.tokens('/token/refresh', before === undefined || this.#cookie ? {} : { refresh_token: before.refreshToken });
    } catch (error) {
      this.look();
      if (this.#kept !== before) return; // what was refused is of the past
      if (!ends(error)) throw this.#failed(error);
      this.#end('ended');
      throw new SignedOutError('The server has ended the session.', { cause: error });
    }
    this.look();
    if (this.#kept === before) this.#keep({ login: before?.login ?? newLogin(), ...tokens, at: this.#clock.date() });
  }

  /** Begins a session with what the route answers. No refresh is under way in any tab then: its cookies would replace the new ones. */
  async begin(path: string, body: object): Promise<void> {
    await this.#tabs.alone(async () => {
      const tokens = await this.#wire.tokens(path, body);
      this.#keep({ login: newLogin(), ...tokens, at: this.#clock.date() });
      return true;
    });
  }

  /** Ends sessions at the server: this one, all others, or all. */
  async logOut(scope: 'this' | 'others' | 'all'): Promise<void> {
    this.look();
    const kept = this.#kept;
    if (kept === null && scope === 'this') return;
    if (kept === null) throw new SignedOutError('Nobody is signed in.');
    const post = (): Promise<unknown> => this.#wire.post('/logout', this.#cookie ? { scope } : { scope, refresh_token: this.#kept?.refreshToken });
    if (scope === 'this' && kept !== undefined && !this.#cookie) {
      const sent = post();
      this.#end('logout'); // whether the server hears of it or not
      await sent.catch((error) => {
        if (!(error instanceof CountersignError && error.status === 401)) throw error; // else it had ended already
      });
      return;
    }
    await this.#tabs.alone(async () => {
      this.look();
      if (kept !== undefined && this.#kept?.login !== kept.login) { // another tab was faster, and may have let the next user in
        if (scope === 'this') return false;
        throw new SignedOutError('The session has ended already.');
      }
      try {
        await post();
      } catch (error) {
        if (!(error instanceof CountersignError && error.status === 401)) throw error;
        this.#end(scope === 'this' ? 'logout' : 'ended');
        if (scope !== 'this') throw new SignedOutError('The server has ended the session.', { cause: error });
      }
      if (scope !== 'others') this.#end('logout');
      return true;
    });
  }

  /** Looks whether it is time to refresh: a timer sleeps when the machine does. */
  wake(): void {
    this.look();
    if (this.#kept && this.#left() <= this.#early && this.#clock.monotonic() >= this.#rests) {
      this.refresh().catch(() => undefined); // it is tried again
    } else {
      this.#plan();
    }
  }

  /** Is wake for when the network has come back. */
  online(): void {
    if (this.#refusal === undefined) this.#rests = 0;
    this.wake();
  }

  /** Ends the work in the background. The session stays. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listeners.clear();
    this.#tabs.close();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Returns how long the access token is still good, in milliseconds. No server's time is compared with this machine's: that would
   * go wrong with every clock that is. The machine's date counts beside the other clock because that may stand still in its sleep.
   */
  #left(): number {
    if (!this.#kept) return 0;
    return this.#kept.lifetime - Math.max(this.#clock.monotonic() - this.#since, this.#clock.date() - this.#kept.at);
  }

  /** Takes a session that came just now from the server. */
  #keep(kept: Kept): void {
    this.#over = undefined;
    this.#save(kept);
    this.#adopt(kept);
    const { login, lifetime, at } = kept;
    this.#tabs.tell(this.#cookie ? { login, lifetime, at, token: '', refreshToken: '' } : { login });
  }

  /** Takes a session that is in the storage, or that another tab tells of. */
  #adopt(kept: Kept): void {
    const before = this.#kept;
    if (before && before.login === kept.login && before.at === kept.at && before.token === kept.token) return;
    const now = this.#clock.monotonic();
    this.#kept = kept;
    this.#since = now - Math.min(Math.max(this.#clock.date() - kept.at, 0), kept.lifetime);
    this.#early = margin(kept) * (1 + Math.random());
    this.#failures = this.#rests = 0;
    this.#refusal = undefined;
    this.#plan();
    this.#emit({ type: before && before.login === kept.login ? 'refreshed' : 'signed-in' });
  }

  /** Ends the session here and in all tabs. */
  #end(reason: EndReason): void {
    const login = this.#kept?.login ?? '';
    if (this.#kept !== null) {
      this.#save({ login, ended: reason });
      this.#tabs.tell({ login, ended: reason });
    }
    this.#forget(reason);
  }

  #forget(reason: EndReason): void {
    if (this.#kept === null) return;
    this.#over = this.#kept?.login;
    this.#kept = null;
    this.#plan();
    this.#emit({ type: 'signed-out', reason });
  }

  #save(value: object): void {
    this.#storage.setItem(this.#key, JSON.stringify(value));
    this.#stored = this.#storage.getItem(this.#key);
  }

  #hear(message: unknown): void {
    const ended = endedFrom(message);
    const kept = this.#cookie ? keptFrom(message) : undefined;
    if (this.#closed) return;
    if (ended !== undefined) {
      if (!this.#kept || this.#kept.login === ended.login) this.#forget(ended.ended);
    } else if (kept !== undefined) {
      if (kept.at > (this.#kept?.at ?? 0) && kept.login !== this.#over) this.#adopt(kept);
    } else if (typeof members(message)['login'] === 'string') {
      this.look();
    }
  }

  #emit(event: SessionEvent): void {
    for (const listener of this.#listeners) queueMicrotask(() => listener(event)); // what it throws is its own affair
  }

  /** Notes a refresh that came to nothing, and returns the error. */
  #failed(error: unknown): unknown {
    const wanted = error instanceof CountersignError ? error.retryAfter : undefined;
    this.#refusal = wanted === undefined ? undefined : (error as CountersignError);
    this.#rests = this.#clock.monotonic() + pauseAfter(this.#failures, wanted);
    this.#failures++;
    return error;
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (!this.#kept || this.#closed || this.#flight !== undefined) return;
    const due = Math.max(this.#left() - this.#early, this.#rests - this.#clock.monotonic(), 0);
    this.#timer = setTimeout(() => this.wake(), Math.min(due, minute / 2)); // a sleep is noticed soon after it
    (this.#timer as { unref?(): void }).unref?.(); // Node would not end
  }
}

/** How long before its end a token is no longer given away. */
function margin(kept: Kept): number {
  return Math.min(minute, kept.lifetime / 4);
}

/** Reports whether an error of /token/refresh says that the session has ended; in cookie mode the browser may just have no cookie. */
function ends(error: unknown): boolean {
  return error instanceof CountersignError &&
    (error.code === 'invalid_refresh_token' || (error.status === 400 && error.code === 'missing_fields'));
}

function newLogin(): string {
  return Date.now().toString(36) + Math.random().toString(36).slice(2);
}
