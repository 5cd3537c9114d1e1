// What the tests share: the gate that clients/js/gate_test.go puts in front of a real server.
import assert from 'node:assert/strict';
import { createClient } from '@countersign/client';

export const base = process.env.GATE;
export const foreign = process.env.FOREIGN;
export const password = 'cAnArY-5b1f correct horse';

let users = 0;

async function control(path, init) {
  const answer = await fetch(`${base}/gate/${path}`, init);
  assert.equal(answer.status, 200);
  return answer;
}

/** Makes something befall the next `Times` requests for a path. */
export const fault = (path, what) =>
  control(`fault?path=${encodeURIComponent(path)}`, { method: 'POST', body: JSON.stringify({ Times: 1, ...what }) });

/** Moves the server's clock. */
export const advance = (by) => control(`advance?by=${by}`);

/** Counts the requests for a route, such as "POST /login". */
export async function count(route) {
  return (await (await control('requests')).json()).filter((line) => line === route).length;
}

/** Returns how many requests for a route the work has caused. */
export async function during(route, work) {
  const before = await count(route);
  await work();
  return (await count(route)) - before;
}

/** Makes a client for a test, which closes it. Its events are in `events`. */
export function client(t, options = {}) {
  const made = createClient({ baseURL: base, ...options });
  t.after(() => made.close());
  const events = [];
  made.onChange((event) => events.push(event.reason === undefined ? event.type : `${event.type} ${event.reason}`));
  return Object.assign(made, { events });
}

/** Is client for a user that has just signed up and logged in. */
export async function signedIn(t, options) {
  const made = client(t, options);
  const email = `user${users++}@example.com`;
  await made.signUp({ email, password });
  await made.logIn({ email, password });
  return Object.assign(made, { email });
}

/** Waits until something is so. The runner's own time limit is the end of it. */
export async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}
