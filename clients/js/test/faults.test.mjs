// The tokens live for two seconds here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, SignedOutError } from '@countersign/client';
import { advance, base, client, count, during, fault, password, signedIn, until } from './gate.mjs';

const refresh = 'POST /token/refresh';

test('tokens are renewed in the background', async (t) => {
  const auth = await signedIn(t);
  await until(() => auth.events.length === 4);
  assert.deepEqual(auth.events, ['signed-in', 'refreshed', 'refreshed', 'refreshed']);
  await auth.profile();
});

for (const [name, what] of [
  ['the connection breaks', { Refuse: true }],
  ['the answer is lost after the server has made new tokens', { Lose: true }],
  ['429', { Status: 429, RetryAfter: '1' }],
  ['503', { Status: 503, RetryAfter: '1' }],
  ['500', { Status: 500 }],
  ['a 401 that is not of the server', { Status: 401 }],
]) {
  test(`the background goes on after: ${name}`, async (t) => {
    const auth = await signedIn(t);
    await fault('/token/refresh', what);
    const before = await count(refresh);
    await until(() => auth.events.length === 2);
    assert.deepEqual(auth.events, ['signed-in', 'refreshed']);
    assert.equal(await count(refresh) - before, 2);
    await auth.profile();
  });
}

test('an answer that is lost again and again', async (t) => {
  const auth = await signedIn(t);
  for (let round = 0; round < 3; round++) {
    await fault('/token/refresh', { Lose: true });
    await assert.rejects(auth.refresh(), NetworkError);
    await auth.refresh();
  }
  await auth.profile();
  assert.equal(auth.signedIn, true);
});

test('the background learns that the session was ended elsewhere', async (t) => {
  const auth = await signedIn(t);
  const other = client(t);
  await other.logIn({ email: auth.email, password });
  await other.logOut({ scope: 'others' });
  await until(() => auth.signedIn === false);
  assert.equal(auth.events.at(-1), 'signed-out ended');
  assert.equal(await during(refresh, () => assert.rejects(auth.refresh(), SignedOutError)), 0);
});

test('a copied token that is used ends the session', async (t) => {
  const answer = await (await fetch(base + '/login', { method: 'POST', body: new URLSearchParams({ email: (await signedIn(t)).email, password }) })).json();
  const use = (refresh_token) => fetch(base + '/token/refresh', { method: 'POST', body: new URLSearchParams({ refresh_token }) });
  const storage = new Map([[`countersign:token:${base}`, JSON.stringify({ login: 'copy', token: answer.token, refreshToken: answer.refresh_token, lifetime: 900_000, at: Date.now() })]]);
  const auth = client(t, { storage: { getItem: (k) => storage.get(k) ?? null, setItem: (k, v) => storage.set(k, v), removeItem: (k) => storage.delete(k) } });
  await auth.refresh();
  await auth.refresh();
  await advance('1m');
  assert.equal((await use(answer.refresh_token)).status, 401);
  await assert.rejects(auth.refresh(), SignedOutError);
  assert.equal(auth.events.at(-1), 'signed-out ended');
});
