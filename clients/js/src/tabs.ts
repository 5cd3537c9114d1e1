import type { SessionStorage } from './storage.js';

/** What {@link Tabs} uses of the Web Locks API. */
interface Locks {
  request(name: string, options: object, work: () => Promise<void>): Promise<void>;
}

/** What Tabs are made of. */
export interface TabsOptions {
  /** Clients of the same key are tabs of each other. */
  readonly key: string;
  readonly storage: SessionStorage;
  /** Whether there may be other tabs at all. */
  readonly shared: boolean;
  /** How long one waits for another, in milliseconds. */
  readonly patience: number;
}

/** How long a lock is kept after a change, in milliseconds: browsers bring what is written to localStorage to other tabs a little later. */
const settling = 150;

/**
 * Tabs lets the clients of one session, in all tabs of an origin, work one after the other, and tell each other what they did.
 *
 * It saves requests, and no session depends on it: the server gives all who refresh at the same time the same successor
 * (docs/sessions.md). So a tab that waits too long goes ahead, and a lock that cannot be had is done without.
 */
export class Tabs {
  readonly #name: string;
  readonly #patience: number;
  readonly #storage: SessionStorage;
  readonly #shared: boolean;
  readonly #locks: Locks | undefined;
  #channel: BroadcastChannel | undefined;

  constructor(options: TabsOptions, hear: (message: unknown) => void) {
    this.#name = options.key;
    this.#patience = options.patience;
    this.#storage = options.storage;
    this.#shared = options.shared;
    this.#locks = typeof navigator === 'undefined' ? undefined : (navigator as { locks?: Locks }).locks;
    if (!this.#shared || typeof BroadcastChannel === 'undefined') return;
    try {
      this.#channel = new BroadcastChannel(this.#name);
    } catch {
      return; // this page may not have any
    }
    this.#channel.onmessage = (event: MessageEvent<unknown>) => hear(event.data);
    (this.#channel as { unref?(): void }).unref?.(); // Node would wait for messages forever
  }

  /** Tells all other tabs. What is told is heard by every script of the origin, and so never has a token in it. */
  tell(message: object): void {
    try {
      this.#channel?.postMessage(message);
    } catch {
      // the page is going away
    }
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Does the work while no other tab does any. It says whether it has changed what tabs share. */
  async alone(work: () => Promise<boolean>): Promise<void> {
    if (!this.#shared) return void (await work());
    if (this.#locks === undefined) return this.#leased(work);
    let doing: Promise<boolean> | undefined;
    return new Promise((resolve, reject) => {
      const begin = (): Promise<boolean> => {
        doing = work();
        doing.then(() => resolve(), reject);
        return doing;
      };
      const hold = (): Promise<void> => begin().then(settled, () => undefined);
      const request = (options: object): Promise<void> => this.#locks!.request(this.#name, options, hold);
      request({ signal: AbortSignal.timeout(this.#patience) })
        .catch(() => (doing === undefined ? request({ steal: true }) : undefined)) // a frozen tab has it
        .catch(() => (doing === undefined ? begin() : undefined)) // this page may not have any
        .catch(() => undefined); // reject has said it
    });
  }

  /** Is alone for where there are no Web Locks: who has written its name, and finds it there a moment later, has the lease. */
  async #leased(work: () => Promise<boolean>): Promise<void> {
    const key = this.#name + ':lease';
    const me = Math.random().toString(36).slice(2);
    const holder = (): string | undefined => {
      const [name, until] = (this.#storage.getItem(key) ?? '').split(' ');
      const left = Number(until) - Date.now();
      return left > 0 && left <= this.#patience ? name : undefined; // a lease longer than any is of another time
    };
    const end = performance.now() + this.#patience;
    for (let now = holder(); now !== me && performance.now() < end; now = holder()) {
      if (now === undefined) {
        this.#storage.setItem(key, `${me} ${Date.now() + this.#patience}`);
        if (holder() !== me) break; // this storage keeps nothing
      }
      await new Promise((resolve) => setTimeout(resolve, 20 + 30 * Math.random()));
    }
    try {
      await work();
    } finally {
      if (holder() === me) this.#storage.removeItem(key);
    }
  }
}

function settled(changed: boolean): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, changed ? settling : 0));
}
