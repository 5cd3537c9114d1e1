import { members } from './errors.js';

/** Where tokens are kept: `localStorage`, or what is like it. Tabs with the same storage share one session. */
export type TokenStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

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

/** Returns the session that a text or a message is, or null: other scripts may have written anything there. */
export function keptFrom(value: unknown): Kept | null {
  const { login, token, refreshToken, lifetime, at } = members(value);
  return typeof login === 'string' && typeof token === 'string' && typeof refreshToken === 'string' &&
    typeof lifetime === 'number' && typeof at === 'number' ? { login, token, refreshToken, lifetime, at } : null;
}

/** Is keptFrom for JSON. */
export function keptFromText(text: string | null): Kept | null {
  try {
    return keptFrom(JSON.parse(text ?? 'null'));
  } catch {
    return null;
  }
}

/** Returns the storage without its exceptions: one that is full or forbidden keeps nothing, and the client goes on from memory. */
export function forgiving(storage: TokenStorage): TokenStorage {
  const attempt = <T>(otherwise: T, call: () => T): T => {
    try {
      return call();
    } catch {
      return otherwise;
    }
  };
  return {
    getItem: (key) => attempt(null, () => storage.getItem(key)),
    setItem: (key, value) => attempt(undefined, () => storage.setItem(key, value)),
    removeItem: (key) => attempt(undefined, () => storage.removeItem(key)),
  };
}
