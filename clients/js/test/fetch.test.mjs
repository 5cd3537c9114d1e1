import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkError, SignedOutError, memoryStorage } from '@countersign/client';
import { advance, base, client, count, during, fault, foreign, password, signedIn } from './gate.mjs';

const refused = { Status: 401, Challenge: 'Bearer realm="x", error="invalid_token"' };
const refresh = 'POST /token/refresh';

test('the token goes to allowed origins, and to no other', async (t) => {
  const auth = await signedIn(t);
  const token = await auth.getToken();
  const sent = async (who, url, init) => (await (await who.fetch(url, init)).json()).authorization;
  const { port } = new URL(foreign);
  assert.equal(await sent(auth, base + '/echo'), `Bearer ${token}`);
  for (const url of [foreign + '/echo', new URL(foreign + '/echo'), new Request(foreign + '/echo'), `http://${new URL(base).host}@127.0.0.1:${port}/echo`.replace('127.0.0.1:', 'localhost:')]) {
    const got = await sent(auth, url).catch((error) => error); // a user in the URL is refused by the platform
    assert.ok(got === '' || got instanceof TypeError, `${url}: ${got}`);
  }
  const own = { headers: { authorization: 'Bearer mine' } };
  assert.equal(await sent(auth, base + '/echo', own), 'Bearer mine');

  const wider = await signedIn(t, { origins: [foreign] });
  assert.equal(await sent(wider, foreign + '/echo'), `Bearer ${await wider.getToken()}`);
  await wider.logOut();
  assert.equal(await sent(wider, base + '/echo'), '');
});

test('an address that changes between two looks', async (t) => {
  const auth = await signedIn(t);
  let looks = 0;
  const sly = { toString: () => (looks++ === 0 ? base : foreign) + '/echo' };
  assert.equal((await auth.fetch(sly)).url, base + '/echo');
});

test('the token goes over no redirect', async (t) => {
  const auth = await signedIn(t);
  const hop = `${base}/hop?to=${encodeURIComponent(foreign + '/echo')}`;
  for (const init of [{}, { redirect: 'follow' }, { redirect: 'error' }]) await assert.rejects(auth.fetch(hop, init), TypeError);
  await assert.rejects(auth.fetch(new Request(hop, { redirect: 'follow' })), TypeError);
  const answer = await auth.fetch(hop, { redirect: 'manual' });
  assert.equal(answer.status, 307);
  await auth.logOut();
  assert.equal((await (await auth.fetch(hop)).json()).authorization, '');
});

test('a token that the server refuses is renewed once', async (t) => {
  const auth = await signedIn(t);
  await advance('20m'); // the server's clock, not this one
  const before = await count('GET /user');
  assert.equal(await during(refresh, async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => auth.fetch(base + '/user')));
    assert.deepEqual(answers.map((each) => each.status), Array(10).fill(200));
  }), 1);
  assert.equal(await count('GET /user') - before, 20);
});

test('a refusal that stays is repeated once', async (t) => {
  const auth = await signedIn(t);
  await fault('/echo', { ...refused, Times: 100 });
  assert.equal(await during('GET /echo', async () => {
    assert.equal(await during(refresh, async () => assert.equal((await auth.fetch(base + '/echo')).status, 401)), 1);
  }), 2);
  await fault('/echo', { Times: 0 });
});

test('only a refused token is renewed', async (t) => {
  const auth = await signedIn(t);
  for (const what of [
    { Status: 401, Challenge: 'Bearer error="insufficient_user_authentication", max_age="600"' },
    { Status: 401, Challenge: 'Basic realm="x"' }, { Status: 403, Challenge: refused.Challenge },
  ]) {
    await fault('/echo', what);
    assert.equal(await during(refresh, async () => assert.equal((await auth.fetch(base + '/echo')).status, what.Status)), 0);
  }
});

test('bodies that can be sent again are, others are not', async (t) => {
  const auth = await signedIn(t);
  const post = (body, more) => [base + '/echo', { method: 'POST', body, ...more }];
  const stream = () => new Blob(['hello']).stream();
  for (const [name, args, again] of [
    ['text', post('hello'), true],
    ['bytes', post(new TextEncoder().encode('hello')), true],
    ['blob', post(new Blob(['hello'])), true],
    ['a request with a new body', [new Request(...post('other')), { body: 'hello' }], true],
    ['stream', post(stream(), { duplex: 'half' }), false],
    ['request', [new Request(...post('hello'))], false],
  ]) {
    await fault('/echo', refused);
    let answer;
    assert.equal(await during('POST /echo', async () => (answer = await auth.fetch(...args))), again ? 2 : 1, name);
    assert.equal(answer.status, again ? 200 : 401, name);
    assert.equal((await answer.json()).body, 'hello', name);
    await fault('/echo', { Times: 0 });
  }
});

test('a refresh that does not come through is no logout', async (t) => {
  const auth = await signedIn(t);
  await fault('/echo', refused);
  await fault('/token/refresh', { Refuse: true });
  await assert.rejects(auth.fetch(base + '/echo'), NetworkError);
  assert.equal(auth.signedIn, true);
  assert.equal((await auth.fetch(base + '/echo')).status, 200);
});

test('a request is not repeated in the name of another login', async (t) => {
  const storage = memoryStorage();
  const tab = client(t, { storage });
  const { email } = await signedIn(t);
  const overtaken = async (input, init) => {
    const answer = await fetch(input, init);
    if (answer.url === base + '/echo') await tab.logIn({ email, password }); // before the answer is heard
    return answer;
  };
  const auth = await signedIn(t, { storage, fetch: overtaken });
  await fault('/echo', refused);
  assert.equal(await during('POST /echo', async () => {
    assert.equal((await auth.fetch(base + '/echo', { method: 'POST', body: 'mine' })).status, 401);
  }), 1);
  assert.equal((await auth.profile()).email, email);
});

test('a request that waits for a token does not go in the name of another login', async (t) => {
  const storage = memoryStorage();
  const turned = { ahead: 0, monotonic: () => performance.now() + turned.ahead, date: () => Date.now() };
  const auth = await signedIn(t, { storage, clock: turned });
  const { email } = await signedIn(t);
  turned.ahead = 14.5 * 60_000; // of 15 minutes
  await fault('/login', { Delay: 300 });
  const login = client(t, { storage }).logIn({ email, password });
  assert.equal(await during('POST /echo', async () => {
    await assert.rejects(auth.fetch(base + '/echo', { method: 'POST', body: 'mine' }), SignedOutError);
  }), 0);
  await login;
  assert.equal((await auth.profile()).email, email);
});

test('a session that was ended elsewhere', async (t) => {
  const auth = await signedIn(t);
  const [own] = await auth.sessions();
  await auth.endSession(own.id);
  assert.equal(auth.signedIn, true);
  const answer = await auth.fetch(base + '/user');
  assert.equal(answer.status, 401);
  assert.equal((await answer.json()).code, 'invalid_token');
  assert.deepEqual(auth.events, ['signed-in', 'signed-out ended']);
  assert.equal((await client(t).fetch(base + '/user')).status, 401);
});

test('the caller waits no longer than their signal says', async (t) => {
  const turned = { ahead: 0, monotonic: () => performance.now() + turned.ahead, date: () => Date.now() };
  for (const [befalls, ahead] of [['/token/refresh', 899_000], ['/echo', 0]]) {
    const auth = await signedIn(t, { clock: turned });
    turned.ahead = ahead;
    await fault('/token/refresh', { Delay: 1500 });
    if (befalls === '/echo') await fault('/echo', refused);
    const start = performance.now();
    await assert.rejects(auth.fetch(base + '/echo', { signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' });
    assert.ok(performance.now() - start < 1200, befalls);
    await auth.refresh(); // which goes on for all others
    assert.equal(await during('GET /echo', () => assert.rejects(auth.fetch(new Request(base + '/echo', { signal: AbortSignal.abort() })), { name: 'AbortError' })), 0);
    turned.ahead = 0;
  }
});

test('a request as the second argument, and headers that can be read once', async (t) => {
  const auth = await signedIn(t, { origins: [] });
  const seen = async (...args) => (await auth.fetch(...args)).json();
  for (const to of [base, foreign]) {
    const got = await seen(to + '/echo', new Request('https://example.com', { method: 'POST', body: 'hello', headers: { 'Content-Type': 'text/x' } }));
    assert.equal(`${got.method} ${got.body}`, 'POST hello');
    assert.equal((await seen(to + '/echo', { headers: new Map([['Authorization', 'Bearer mine']]).entries() })).authorization, 'Bearer mine');
  }
});

test('a request keeps what it says of the referrer', async (t) => {
  let last;
  const auth = await signedIn(t, { fetch: (input, init) => fetch((last = new Request(input, init)).clone()) });
  await auth.fetch(new Request(base + '/echo', { referrerPolicy: 'no-referrer', redirect: 'follow' }));
  assert.equal(last.referrerPolicy, 'no-referrer');
  assert.ok(last.headers.has('Authorization'));
});

test('a request that lies about its address', async (t) => {
  class Sly extends Request {
    get url() { return base + '/echo'; }
  }
  const auth = await signedIn(t);
  assert.equal((await (await auth.fetch(new Sly(foreign + '/echo'))).json()).authorization, '');
});

test('requests are repeated where Request.body is not known', async (t) => {
  const auth = await signedIn(t);
  const body = Object.getOwnPropertyDescriptor(Request.prototype, 'body');
  t.after(() => Object.defineProperty(Request.prototype, 'body', body));
  Object.defineProperty(Request.prototype, 'body', { ...body, get: () => undefined });
  await fault('/echo', refused);
  assert.equal((await auth.fetch(new Request(base + '/echo'))).status, 200);
  await fault('/echo', refused);
  assert.equal((await auth.fetch(new Request(base + '/echo', { method: 'POST', body: 'hello' }))).status, 401);
});

test('an API that takes no token causes one refresh', async (t) => {
  const auth = await signedIn(t);
  await fault('/echo', { ...refused, Times: 100 });
  assert.equal(await during(refresh, async () => {
    for (let round = 0; round < 5; round++) assert.equal((await auth.fetch(base + '/echo')).status, 401);
  }), 1);
  await fault('/echo', { Times: 0 });
});
