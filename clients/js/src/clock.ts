/** Two clocks, both in milliseconds. */
export interface Clock {
  /** Nobody sets it, and it may stand still while the machine sleeps. */
  monotonic(): number;
  /** The machine's date, which may be wrong, and may be set. */
  date(): number;
}

/** The machine's clocks. */
export const systemClock: Clock = { monotonic: () => performance.now(), date: () => Date.now() };

const second = 1000;

/**
 * Returns for how long nothing is tried after a failure, in milliseconds: twice as long with each one before it, up to a minute, and
 * no less than the server says, up to an hour: it may say 0, or a date that is over by this clock. A part of it is by chance, so that not
 * all clients of a server come back at the same moment.
 */
export function pauseAfter(failures: number, wanted: number | undefined): number {
  const own = Math.min(60 * second, second * 2 ** failures) * (0.5 + Math.random() / 2);
  return wanted === undefined ? own : Math.max(own, Math.min(wanted, 3600) * second + second * Math.random());
}
