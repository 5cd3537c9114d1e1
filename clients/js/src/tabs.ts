import type { TokenStorage } from './storage.js';

/** What {@link Tabs} uses of the Web Locks API. */
export interface Locks {
  request<T>(name: string, options: { signal: AbortSignal }, work: () => Promise<T>): Promise<T>;
}

/**
 * Tabs lets the clients of one session, in all tabs of an origin, work one after the other, and tell each other what they did.
 *
 * It saves requests, and nothing depends on it: the server gives all tabs that refresh at the same time the same successor
 * (docs/sessions.md). So a tab that waits too long goes ahead, and a lock that cannot be had is done without.
 */
export class Tabs {
  readonly #channel: BroadcastChannel | undefined;

  constructor(
    private readonly name: string,
    private readonly patience: number,
    private readonly locks: Locks | undefined,
    private readonly storage: TokenStorage | undefined,
    hear: (message: unknown) => void,
  ) {
    if (typeof BroadcastChannel === 'undefined') return;
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = (event: MessageEvent<unknown>) => hear(event.data);
    (this.#channel as { unref?(): void }).unref?.(); // Node would wait for messages forever
  }

  /** Tells all other tabs. What is told is heard by every script of the origin, and so never has a token in it. */
  tell(message: object): void {
    this.#channel?.postMessage(message);
  }

  /** Does the work while no other tab does any. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.locks === undefined) return this.storage === undefined ? work() : this.#leased(this.storage, work);
    let begun = false;
    try {
      return await this.locks.request(this.name, { signal: AbortSignal.timeout(this.patience) }, () => {
        begun = true;
        return work();
      });
    } catch (error) {
      if (begun) throw error;
      return work(); // a frozen tab has the lock, or this document may not have any
    }
  }

  /** Is alone for browsers without Web Locks: who has written its name, and finds it there a moment later, has the lease. */
  async #leased<T>(storage: TokenStorage, work: () => Promise<T>): Promise<T> {
    const key = this.name + ':lease';
    const me = Math.random().toString(36).slice(2);
    const holder = (): string | undefined => {
      const [name, until] = (storage.getItem(key) ?? '').split(' ');
      const left = Number(until) - Date.now();
      return left > 0 && left <= this.patience ? name : undefined; // a lease longer than any is of another time
    };
    const end = performance.now() + this.patience;
    for (let now = holder(); now !== me && performance.now() < end; now = holder()) {
      if (now === undefined) storage.setItem(key, `${me} ${Date.now() + this.patience}`);
      await new Promise((resolve) => setTimeout(resolve, 20 + 30 * Math.random()));
    }
    try {
      return await work();
    } finally {
      if (holder() === me) storage.removeItem(key);
    }
  }

  close(): void {
    this.#channel?.close();
  }
}
