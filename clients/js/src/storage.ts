import { members, type EndReason } from './errors.js';

/** Where a session is kept: `localStorage`, or what is like it. Tabs with the same storage share one session. */
export interface SessionStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A session as a client knows it. In cookie mode both tokens are empty. */
export interface Kept {
  /** Tells one login from the next. No secret. */
  readonly login: string;
  readonly token: string;
  readonly refreshToken: string;
  /** How long the access token lives, in milliseconds. */
  readonly lifetime: number;
  /** When it came, by the machine's date. It is only ever compared with the same machine's. */
  readonly at: number;
}

/** What stands in the place of a session that is over, so that a tab that was asleep learns of it. */
export interface Ended {
  readonly login: string;
  readonly ended: EndReason;
}

/** Returns the session that a value is, or undefined: other scripts may have written anything there. */
export function keptFrom(value: unknown): Kept | undefined {
  const { login, token, refreshToken, lifetime, at } = members(value);
  return typeof login === 'string' && isToken(token) && isToken(refreshToken) &&
    isLifetime(lifetime) && Number.isFinite(at) ? { login, token, refreshToken, lifetime, at: at as number } : undefined;
}

/** Reports whether a value can stand in a header. No other is taken: what the platform says of a header has its text in it. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]*$/.test(value);
}

/** Reports whether a value is a time that ends. Timers are set by it. */
export function isLifetime(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= Number.MAX_SAFE_INTEGER;
}

/** Is keptFrom for a session that is over. */
export function endedFrom(value: unknown): Ended | undefined {
  const { login, ended } = members(value);
  return typeof login === 'string' && (ended === 'logout' || ended === 'ended' || ended === 'removed') ? { login, ended } : undefined;
}

/** Returns the value that a text is, and undefined of what is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns a storage that forgets when the page is left or the process ends. Clients that are given the same one share a session. */
export function memoryStorage(): SessionStorage {
  const items = new Map<string, string>();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

/** Returns the page's localStorage, and a memory where there is none. */
export function defaultStorage(): SessionStorage {
  if (typeof document === 'undefined') return memoryStorage();
  try {
    return localStorage; // a page in a sandbox gets an exception
  } catch {
    return memoryStorage();
  }
}

/**
 * Returns the storage without its exceptions: one that is forbidden keeps nothing, and the client goes on from memory. One that is
 * full keeps an empty text instead of what was there before: an old refresh token, found by a tab that is opened later, would end
 * the session.
 */
export function forgiving(storage: SessionStorage): SessionStorage {
  const attempt = <T>(call: () => T, otherwise: () => T): T => {
    try {
      return call();
    } catch {
      return otherwise();
    }
  };
  return {
    getItem: (key) => attempt(() => storage.getItem(key), () => null),
    setItem: (key, value) => attempt(() => storage.setItem(key, value), () => attempt(() => storage.setItem(key, ''), () => undefined)),
    removeItem: (key) => attempt(() => storage.removeItem(key), () => undefined),
  };
}
