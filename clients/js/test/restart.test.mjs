// The tokens live for two seconds here, and the server is a process that these tests start and kill.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { base, signedIn, until } from './gate.mjs';

let server;

async function start() {
  server = spawn(process.env.SERVER, ['serve'], { stdio: 'ignore' });
  await until(() => fetch(base + '/readyz').then((answer) => answer.ok, () => false));
}

async function kill() {
  const gone = once(server, 'exit');
  server.kill('SIGKILL');
  await gone;
}

before(start);
after(kill);

test('a session outlives the server', async (t) => {
  let failed = 0;
  const counted = (input, init) => fetch(input, init).catch((error) => {
    failed++;
    throw error;
  });
  const auth = await signedIn(t, { fetch: counted });
  await kill();
  await until(() => failed >= 2);
  assert.equal(auth.signedIn, true);
  const seen = auth.events.length;
  await start();
  await until(() => auth.events.length > seen);
  await auth.profile();
  assert.ok(auth.events.every((each) => each === 'signed-in' || each === 'refreshed'), String(auth.events));
});

test('a server that is killed while it makes new tokens', async (t) => {
  const auth = await signedIn(t);
  for (let round = 0; round < 8; round++) {
    const flight = auth.refresh().catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, round)); // milliseconds, so that it is killed at another point each time
    await kill();
    await flight;
    await start();
    await auth.refresh();
  }
  await auth.profile();
  assert.ok(!auth.events.some((each) => each.startsWith('signed-out')), String(auth.events));
});
