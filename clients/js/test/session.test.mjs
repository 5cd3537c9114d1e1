import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { CountersignError, NetworkError, SignedOutError, memoryStorage } from '@countersign/client';
import { advance, base, client, count, during, fault, password, signedIn, until } from './gate.mjs';

const refresh = 'POST /token/refresh';
const key = `countersign:token:${base}`;

/** A clock whose hands can be moved. */
function clock() {
  const hands = { monotonic: 0, date: 0 };
  return { hands, monotonic: () => performance.now() + hands.monotonic, date: () => Date.now() + hands.date };
}

test('all who ask at once share one refresh', async (t) => {
  const auth = await signedIn(t);
  assert.equal(await during(refresh, () => Promise.all(Array.from({ length: 20 }, () => auth.refresh()))), 1);
  assert.deepEqual(auth.events, ['signed-in', 'refreshed']);
});

test('clients with one storage are tabs of one session', async (t) => {
  const storage = memoryStorage();
  const tabs = [await signedIn(t, { storage }), client(t, { storage }), client(t, { storage }), client(t, { storage })];
  assert.deepEqual(tabs.map((each) => each.signedIn), [true, true, true, true]);
  for (let round = 0; round < 3; round++) {
    assert.equal(await during(refresh, () => Promise.all(tabs.map((each) => each.refresh()))), 1);
  }
  const tokens = await Promise.all(tabs.map((each) => each.getToken()));
  assert.equal(new Set(tokens).size, 1);

  await tabs[1].logOut();
  await until(() => tabs.every((each) => each.events.at(-1) === 'signed-out logout'));
  await tabs[2].logIn({ email: tabs[0].email, password });
  await until(() => tabs.every((each) => each.signedIn));
  for (const each of tabs) assert.ok(!each.events.includes('signed-out ended'), String(each.events));
});

test('a logout is told to the others at once', async (t) => {
  const storage = memoryStorage();
  const one = await signedIn(t, { storage });
  const two = client(t, { storage });
  await two.profile(); // what there was to hear before is heard
  await one.logOut();
  await until(() => two.events.length > 0);
  assert.deepEqual(two.events, ['signed-out logout']);
});

test('what is told to the others has no token in it', async (t) => {
  const storage = memoryStorage();
  const heard = [];
  const channel = new BroadcastChannel(key);
  t.after(() => channel.close());
  channel.onmessage = (event) => heard.push(JSON.stringify(event.data));
  const auth = await signedIn(t, { storage });
  await auth.refresh();
  await auth.logOut();
  await until(() => heard.length === 3);
  assert.doesNotMatch(heard.join(), /csr_|eyJ/);
});

test('a refusal of what is past ends nothing', async (t) => {
  const [storage, elsewhere] = [memoryStorage(), memoryStorage()];
  const auth = await signedIn(t, { storage });
  const other = await signedIn(t, { storage: elsewhere });
  const [own] = await auth.sessions();
  await auth.endSession(own.id);
  const before = await count(refresh);
  await fault('/token/refresh', { Delay: 300 });
  const flight = auth.refresh();
  await until(async () => (await count(refresh)) > before);
  storage.setItem(key, elsewhere.getItem(key)); // a login in a tab that did not wait
  await flight;
  assert.equal((await auth.profile()).email, other.email);
  assert.deepEqual(auth.events, ['signed-in', 'signed-in']);
});

test('without a channel the storage is enough', async (t) => {
  const { BroadcastChannel } = globalThis;
  t.after(() => Object.assign(globalThis, { BroadcastChannel }));
  delete globalThis.BroadcastChannel;
  const storage = memoryStorage();
  const tabs = [await signedIn(t, { storage }), client(t, { storage }), client(t, { storage })];
  assert.equal(await during(refresh, () => Promise.all(tabs.map((each) => each.refresh()))), 1);
  await tabs[1].logOut();
  for (const each of tabs) await assert.rejects(each.getToken(), SignedOutError);
});

test('a tab that was asleep looks in the storage first', async (t) => {
  const storage = memoryStorage();
  const one = await signedIn(t, { storage });
  const before = storage.getItem(key);
  const asleep = { ...storage, awake: false, getItem: (name) => (name === key && !asleep.awake ? before : storage.getItem(name)) };
  const two = client(t, { storage: asleep });
  for (let round = 0; round < 3; round++) await one.refresh(); // its token is four generations old now
  await advance('1m'); // and the server's grace is over
  asleep.awake = true;
  assert.equal(await during(refresh, () => two.profile()), 0);
  assert.equal(await two.getToken(), await one.getToken());
  await two.refresh();
  await one.profile();
});

test('the token is renewed before it expires, by either clock', async (t) => {
  for (const hand of ['monotonic', 'date']) {
    const turned = clock();
    const auth = await signedIn(t, { clock: turned });
    const first = await auth.getToken();
    assert.equal(await auth.getToken(), first);
    turned.hands[hand] = 14.5 * 60_000; // of 15 minutes; a machine's sleep stops one clock, or the other
    assert.notEqual(await auth.getToken(), first, hand);
  }
});

test('a clock that is wrong, or set back, costs nothing', async (t) => {
  for (const wrong of [-10 * 365 * 86_400_000, 10 * 365 * 86_400_000]) {
    const turned = clock();
    turned.hands.date = wrong;
    const auth = await signedIn(t, { clock: turned });
    assert.equal(await during(refresh, async () => {
      await auth.getToken();
      turned.hands.date -= 86_400_000;
      await auth.getToken();
    }), 0);
  }
});

test('a token that is still good is given while the server is away', async (t) => {
  const turned = clock();
  const auth = await signedIn(t, { clock: turned });
  const first = await auth.getToken();
  turned.hands.monotonic = 14.5 * 60_000;
  await fault('/token/refresh', { Status: 503, RetryAfter: '60', Times: 2 });
  assert.equal(await during(refresh, async () => {
    assert.equal(await auth.getToken(), first);
    assert.equal(await auth.getToken(), first); // the server wants to hear nothing for a minute
  }), 1);
  turned.hands.monotonic += 35_000;
  await assert.rejects(auth.getToken(), (error) => error instanceof CountersignError && error.status === 503);
  await assert.rejects(auth.profile(), (error) => error instanceof CountersignError && error.status === 503);
  turned.hands.monotonic += 35_000;
  await fault('/token/refresh', { Times: 0 });
  assert.notEqual(await auth.getToken(), first);
  assert.deepEqual(auth.events, ['signed-in', 'refreshed']);
});

test('no refresh that is under way brings a session back', async (t) => {
  const storage = memoryStorage();
  const auth = await signedIn(t, { storage });
  const other = client(t, { storage });
  for (const slow of [auth, other]) {
    if (!auth.signedIn) await auth.logIn({ email: auth.email, password });
    await until(() => other.signedIn);
    const before = await count(refresh);
    await fault('/token/refresh', { Delay: 300 });
    const flight = slow.refresh();
    await Promise.all([
      assert.rejects(flight, SignedOutError),
      until(async () => (await count(refresh)) > before).then(() => auth.logOut()),
    ]);
    assert.equal(auth.signedIn, false);
    await until(() => other.signedIn === false);
    assert.equal(client(t, { storage }).signedIn, false);
    assert.equal(auth.events.at(-1), 'signed-out logout');
  }
});

test('a session that a slower tab writes once more stays over', async (t) => {
  const storage = memoryStorage();
  const auth = await signedIn(t, { storage });
  const text = storage.getItem(key);
  await auth.logOut();
  storage.setItem(key, text);
  await assert.rejects(auth.getToken(), SignedOutError);
  assert.equal(client(t, { storage }).signedIn, false);
  assert.deepEqual(auth.events, ['signed-in', 'signed-out logout']);
});

test('a logout that does not reach the server', async (t) => {
  const auth = await signedIn(t);
  await fault('/logout', { Refuse: true });
  await assert.rejects(auth.logOut({ scope: 'all' }), NetworkError);
  assert.equal(auth.signedIn, true);
  await fault('/logout', { Refuse: true });
  await assert.rejects(auth.logOut(), NetworkError);
  assert.equal(auth.signedIn, false);
});

test('a listener that throws disturbs nobody', async (t) => {
  const { email } = await signedIn(t);
  const program = `
    import { createClient } from '@countersign/client';
    process.on('uncaughtException', (error) => console.log(error.message));
    const auth = createClient({ baseURL: ${JSON.stringify(base)} });
    auth.onChange(() => { throw new Error('mine'); });
    const end = auth.onChange((event) => console.log(event.type));
    await auth.logIn(${JSON.stringify({ email, password })});
    end();
    await auth.refresh();`; // and ends by itself: no timer keeps it
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 20_000 });
  assert.deepEqual(stdout.trim().split('\n'), ['mine', 'signed-in', 'mine']);
});
