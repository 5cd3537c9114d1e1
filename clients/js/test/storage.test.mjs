import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStorage } from '@countersign/client';
import { base, client, signedIn } from './gate.mjs';

const key = `countersign:token:${base}`;

test('rubbish in the storage is nobody signed in', (t) => {
  for (const text of ['', '{', 'null', '[]', '7', '{"login":1}', '{"login":"a","token":"b","refreshToken":"c","lifetime":-1,"at":0}',
    '{"login":"a","token":"b\\nc","refreshToken":"c","lifetime":1,"at":0}', '{"login":"a","token":"b","refreshToken":"c","lifetime":1}',
    '{"login":"a","token":"b","refreshToken":"c","lifetime":1e999,"at":0}', '{"login":"a","token":"b","refreshToken":"c","lifetime":1,"at":-1e999}',
    '{"login":"a","ended":"x"}', '\u0000'.repeat(1e5)]) {
    const storage = memoryStorage();
    storage.setItem(key, text);
    assert.equal(client(t, { storage }).signedIn, false, text.slice(0, 80));
  }
});

test('rubbish that is written later ends no session', async (t) => {
  const storage = memoryStorage();
  const auth = await signedIn(t, { storage });
  storage.setItem(key, 'rubbish');
  await auth.profile();
  await auth.refresh();
  assert.equal(client(t, { storage }).signedIn, true);
});

test('who empties the storage ends the session here', async (t) => {
  const storage = memoryStorage();
  const auth = await signedIn(t, { storage });
  storage.removeItem(key);
  assert.equal((await auth.fetch(base + '/user')).status, 401);
  assert.deepEqual(auth.events, ['signed-in', 'signed-out removed']);
});

test('a storage that is forbidden', async (t) => {
  const forbidden = () => { throw new DOMException('no', 'SecurityError'); };
  const auth = await signedIn(t, { storage: { getItem: forbidden, setItem: forbidden, removeItem: forbidden } });
  await auth.refresh();
  await auth.profile();
  await auth.logOut();
  assert.deepEqual(auth.events, ['signed-in', 'refreshed', 'signed-out logout']);
});

test('a storage that becomes full keeps no old token', async (t) => {
  const inner = memoryStorage();
  const storage = { ...inner, full: false, setItem(name, text) {
    if (this.full && text.length > 10) throw new DOMException('full', 'QuotaExceededError');
    inner.setItem(name, text);
  } };
  const auth = await signedIn(t, { storage });
  storage.full = true;
  for (let round = 0; round < 3; round++) await auth.refresh();
  assert.equal(inner.getItem(key), '');
  assert.equal(client(t, { storage }).signedIn, false);
  await auth.profile();
  assert.deepEqual(auth.events, ['signed-in', 'refreshed', 'refreshed', 'refreshed']);
});

test('a session outlives its client', async (t) => {
  const storage = memoryStorage();
  const first = await signedIn(t, { storage });
  const user = await first.profile();
  first.close();
  assert.deepEqual(await client(t, { storage }).profile(), user);
});
