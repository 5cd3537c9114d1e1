import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { test } from 'node:test';
import { CountersignError, NetworkError, SignedOutError, createClient, memoryStorage } from '@countersign/client';
import { pauseAfter } from '../dist/clock.js';
import { base, client, fault, password, signedIn, until } from './gate.mjs';

test('sign up, log in, profile, log out', async (t) => {
  const auth = client(t);
  const made = await auth.signUp({ email: 'Mike@Example.com', password });
  assert.equal(made.email, 'Mike@Example.com');
  assert.equal(auth.signedIn, false);
  await assert.rejects(auth.profile(), SignedOutError);
  await assert.rejects(auth.getToken(), SignedOutError);

  await auth.logIn({ email: 'mike@example.com', password });
  assert.equal(auth.signedIn, true);
  assert.equal(auth.user, undefined);
  assert.deepEqual(await auth.profile(), made);
  assert.deepEqual(auth.user, made);
  const answer = await fetch(base + '/user', { headers: { Authorization: `Bearer ${await auth.getToken()}` } });
  assert.equal(answer.status, 200);

  await auth.logOut();
  assert.equal(auth.signedIn, false);
  assert.equal(auth.user, undefined);
  await auth.logOut(); // is nothing
  assert.deepEqual(auth.events, ['signed-in', 'signed-out logout']);
});

test('errors say what the server said', async (t) => {
  const auth = client(t);
  const short = await auth.signUp({ email: 'nobody', password: 'short' }).catch((error) => error);
  assert.ok(short instanceof CountersignError);
  assert.equal(short.status, 422);
  assert.equal(short.code, 'invalid_fields');
  assert.deepEqual(short.errors.map((each) => `${each.field} ${each.code}`).sort(), ['email format', 'password too_short']);
  assert.ok(short.requestId.length > 0);

  await assert.rejects(auth.logIn({ email: 'nobody@example.com', password }), { status: 401, code: 'invalid_credentials' });
  await fault('/login', { Status: 429, RetryAfter: '7' });
  await assert.rejects(auth.logIn({ email: 'nobody@example.com', password }), { status: 429, code: 'fault', retryAfter: 7 });
  await fault('/login', { Refuse: true });
  await assert.rejects(auth.logIn({ email: 'nobody@example.com', password }), NetworkError);
  assert.deepEqual(auth.events, []);
});

test('what is no answer of Countersign is an error, and not repeated', async (t) => {
  for (const [body, status] of [['<p>Secret', 200], ['<p>Secret', 502], ['[]', 200], ['{"token":"Secret"}', 200], ['{"expires_in":900}', 200],
    ['{"token":["Secret"],"refresh_token":"a","expires_in":900}', 200], ['{"token":"Secret","refresh_token":"a","expires_in":"x"}', 200], ['"Secret"', 401]]) {
    const auth = client(t, { fetch: async () => new Response(body, { status }) });
    const error = await auth.logIn({ email: 'a@example.com', password }).catch((error) => error);
    assert.ok(error instanceof CountersignError, body);
    assert.equal(error.code, 'unexpected_answer');
    assert.doesNotMatch(inspect(error), /Secret/);
  }
});

test('sessions: list, end one, end the others, end all', async (t) => {
  const one = await signedIn(t);
  const { email } = one;
  const two = client(t);
  const three = client(t);
  await two.logIn({ email, password });
  await three.logIn({ email, password, remember: false });

  const list = await one.sessions();
  assert.equal(list.length, 3);
  assert.equal(list.filter((each) => each.current).length, 1);
  await one.endSession((await two.sessions()).find((each) => each.current).id);
  await assert.rejects(one.endSession('0198-none'), { code: 'no_session' });
  for (const id of ['', '..', '../../user', 'a?b']) await assert.rejects(one.endSession(id), TypeError);
  await assert.rejects(two.profile(), SignedOutError);
  await until(() => two.events.includes('signed-out ended'));

  await one.logOut({ scope: 'others' });
  assert.equal(one.signedIn, true);
  await assert.rejects(three.refresh(), SignedOutError);

  const four = client(t);
  await four.logIn({ email, password });
  await four.logOut({ scope: 'all' });
  await assert.rejects(one.refresh(), SignedOutError);
  assert.deepEqual(one.events, ['signed-in', 'signed-out ended']);
  assert.deepEqual(four.events, ['signed-in', 'signed-out logout']);
});

test('no token can be seen in a client, or in its errors', async (t) => {
  const auth = await signedIn(t);
  const token = await auth.getToken();
  await fault('/token/refresh', { Status: 500 });
  const error = await auth.refresh().catch((error) => error);
  const seen = [inspect(auth, { depth: 9, showHidden: true }), JSON.stringify(auth), String(auth), inspect(error, { depth: 9 })].join();
  assert.ok(!seen.includes(token) && !seen.includes('csr_'), seen);
});

test('options that make no sense', () => {
  for (const options of [
    { baseURL: 'ftp://auth.example.com' }, { baseURL: 'https://user@auth.example.com' }, { baseURL: 'https://auth.example.com/?a' },
    { baseURL: '/auth' }, { baseURL: base, session: 'cookie' }, { baseURL: base, session: 'both' }, { baseURL: base, timeout: 0 },
    { baseURL: base, timeout: Infinity }, { baseURL: base, timeout: 2 ** 31 }, { baseURL: base, timeout: 0.5 }, { baseURL: base, timeout: '5' },
    { baseURL: base, origins: ['https://api.example.com/'] }, { baseURL: base, origins: ['*'] },
  ]) assert.throws(() => createClient(options), TypeError, JSON.stringify(options));
});

test('a closed client does nothing', async (t) => {
  const auth = await signedIn(t);
  auth.close();
  for (const call of [() => auth.getToken(), () => auth.fetch(base), () => auth.refresh(), () => auth.logOut(), () => auth.profile()]) {
    await assert.rejects(call(), TypeError);
  }
});

test('an answer without tokens, or with odd ones, takes none away', async (t) => {
  const storage = memoryStorage();
  const good = { token: 'tok', refresh_token: 'ref', expires_in: 900 };
  let next = good;
  const auth = client(t, { storage, fetch: async () => (next === 204 ? new Response(null, { status: 204 }) : new Response(typeof next === 'string' ? next : JSON.stringify(next))) });
  await auth.logIn({ email: 'a@example.com', password });
  const kept = storage.getItem(`countersign:token:${base}`);
  for (next of [204, { ...good, token: '' }, { ...good, refresh_token: '' }, { ...good, token: 'Secret\nx' }, { ...good, token: 'Secret\u0142' },
    { ...good, expires_in: '900' }, { ...good, expires_in: [900] }, '{"token":"a","refresh_token":"b","expires_in":1e999}']) {
    for (const call of [auth.refresh(), auth.logIn({ email: 'a@example.com', password })]) {
      const error = await call.catch((error) => error);
      assert.equal(error?.code, 'unexpected_answer', JSON.stringify(next));
      assert.doesNotMatch(inspect(error), /Secret/);
    }
    assert.equal(storage.getItem(`countersign:token:${base}`), kept);
  }
  next = 204;
  await assert.rejects(auth.profile(), { code: 'unexpected_answer' });
  assert.equal(await auth.getToken(), 'tok');
});

test('user is never somebody else than who is signed in', async (t) => {
  const storage = memoryStorage();
  const two = client(t, { storage });
  const next = await signedIn(t);
  let login;
  const one = await signedIn(t, { storage, fetch: async (input, init) => {
    const answer = await fetch(input, init);
    if (answer.url.endsWith('/profile')) await login?.().then(() => until(() => one.events.length === 2)); // before the answer comes
    return answer;
  } });
  login = () => two.logIn({ email: next.email, password });
  assert.equal((await one.profile()).email, one.email);
  assert.equal(one.user, undefined);
  login = undefined;
  assert.equal((await one.profile()).email, next.email);
  assert.equal(one.user.email, next.email);
});

test('logOut ends no session of the next user', async (t) => {
  const storage = memoryStorage();
  const [one, two] = [await signedIn(t, { storage }), client(t, { storage })];
  const next = await signedIn(t);
  const [, out] = await Promise.all([two.logIn({ email: next.email, password }), one.logOut({ scope: 'all' }).catch((error) => error)]);
  assert.ok(out instanceof SignedOutError);
  await next.profile();
  await two.profile();
});

test('a page without an origin, and one that may have no channel', () => {
  const { BroadcastChannel } = globalThis;
  try {
    globalThis.BroadcastChannel = class { constructor() { throw new DOMException('no', 'SecurityError'); } };
    globalThis.location = { origin: 'null', href: 'about:srcdoc' };
    createClient({ baseURL: base, storage: memoryStorage() }).close();
    assert.throws(() => createClient({ baseURL: '/auth' }), TypeError);
  } finally {
    Object.assign(globalThis, { BroadcastChannel });
    delete globalThis.location;
  }
});

test('who stops listening hears nothing more', async (t) => {
  const auth = await signedIn(t);
  const heard = [];
  const end = auth.onChange((event) => heard.push(event.type));
  const out = auth.logOut(); // whose event is on its way
  end();
  await out;
  assert.deepEqual(heard, []);
});

test('the wait grows whatever Retry-After says', () => {
  for (const wanted of [undefined, 0, 1]) {
    for (let failures = 0; failures < 2000; failures += 7) {
      const pause = pauseAfter(failures, wanted);
      assert.ok(pause >= Math.min(60_000, 1000 * 2 ** failures) / 2 && pause <= 60_000, `${failures} ${wanted}: ${pause}`);
    }
  }
  assert.ok(pauseAfter(0, 1e9) <= 3_601_000);
});
