import { CountersignError, SignedOutError, members, type EndReason } from './errors.js';
import { keptFrom, keptFromText, type Kept, type TokenStorage } from './storage.js';
import type { Tabs } from './tabs.js';
import type { Tokens, Wire } from './wire.js';

/** What happened to the session, in this tab or another. */
export type SessionEvent =
  | { readonly type: 'signed-in' }
  | { readonly type: 'refreshed' }
  | { readonly type: 'signed-out'; readonly reason: EndReason };

const minute = 60_000;

/** The longest time that a timer takes; a longer one would go off at once. */
const longest = 2 ** 31 - 1;

/** Session keeps the tokens of one login fresh: in memory, and in a storage if there is one. */
export class Session {
  readonly listeners = new Set<(event: SessionEvent) => void>();

  /** Null: nobody is signed in. Undefined: cookie mode, and nobody has asked the server yet. */
  #kept: Kept | null | undefined;
  #stored: string | null = null;
  /** When the access token expires, by the clock that nobody sets. */
  #deadline = 0;
  #flight: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  /** The server's refusal, and until when it wants to hear nothing more. */
  #refusal: { readonly error: CountersignError; readonly until: number } | undefined;
  #closed = false;

  constructor(
    private readonly wire: Wire,
    private readonly key: string,
    private readonly cookie: boolean,
    private readonly storage: TokenStorage | undefined,
    private readonly tabs: (hear: (message: unknown) => void) => Tabs,
  ) {
  }
}
