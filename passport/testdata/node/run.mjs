// Runs the rows of the conformance table on the real npm packages and prints what came of each, as JSON.
// stdin: [row, …] as conformance_test.go writes them, tokens filled in; environment: PEERS, the folder of the packages.
import { readFileSync } from 'node:fs'
import { buildApp } from './app.mjs'
import { close, exchange, listen } from './client.mjs'
import { bcrypt, signRow, verifyRow } from './tokens.mjs'

const hangs = 4000 // ms without an answer, on a busy machine as well

process.on('unhandledRejection', () => {}) // of verify callbacks that are async functions: nobody awaits them

async function httpRow(row) {
  let built
  try {
    built = buildApp(row)
  } catch (err) {
    return { outcome: { refused_at_start: true }, says: String(err.message) }
  }
  if (!row.request && !row.concurrent) return { outcome: {}, says: '' }
  const server = await listen(built.app)
  try {
    if (row.concurrent) return await concurrently(row, server, built)
    const client = { server, cookie: '' }
    if (row.session_before) await exchange(client, { method: 'POST', path: '/__seed', json: row.session_before })
    for (const request of row.before ?? []) await exchange(client, request, hangs)
    const cookieBefore = client.cookie
    const answer = await exchange(client, row.request, hangs)
    const outcome = observe(answer)
    built.finish(outcome)
    const now = await dump(server, client.cookie)
    if (Object.keys(now.data).length) outcome.session = now.data
    if (now.exists) outcome.session_id = client.cookie === cookieBefore ? 'same' : 'new'
    if (cookieBefore && client.cookie !== cookieBefore) {
      const old = await dump(server, cookieBefore)
      outcome.old_session = old.exists ? 'alive' : 'dead'
    }
    return { outcome, says: built.lastError() || answer.body || '' }
  } finally {
    close(server)
  }
}

async function dump(server, cookie) {
  const answer = await exchange({ server, cookie }, { path: '/__session' })
  return JSON.parse(answer.body)
}

function observe(answer) {
  if (answer.hung) return { hung: true }
  const outcome = { status: answer.status, type: answer.type, body: answer.body }
  if (answer.challenges.length) outcome.challenges = answer.challenges
  if (answer.location !== undefined) outcome.location = answer.location
  if (answer.cache) outcome.cache = answer.cache
  if (answer.status === 200 && answer.type === 'application/json') Object.assign(outcome, JSON.parse(answer.body))
  return outcome
}

// concurrently sends all requests of the row, in order; the verify function "barrier" lets none go on before all are there.
async function concurrently(row, server, built) {
  const answers = []
  for (const [i, request] of row.concurrent.entries()) {
    answers.push(exchange({ server, cookie: '' }, request, hangs))
    await until(() => built.waiting.length === i + 1 || i === row.concurrent.length - 1)
  }
  const told = (await Promise.all(answers)).map((a) => (a.hung ? 'hung' : a.status === 200 ? JSON.parse(a.body).user : String(a.status)))
  return { outcome: { answers: told }, says: '' }
}

async function until(met, limit = hangs) {
  const end = Date.now() + limit
  while (!met() && Date.now() < end) await new Promise((go) => setTimeout(go, 5))
}

// cancelRow aborts a request while the key provider is busy and sees whether the provider is told.
async function cancelRow(row) {
  const built = buildApp(row)
  const server = await listen(built.app)
  const leave = new AbortController()
  const left = exchange({ server, cookie: '' }, row.request, hangs, leave.signal)
  await until(() => built.lookup.began)
  leave.abort()
  await left
  await until(() => built.lookup.cancelled, 500)
  close(server)
  return { outcome: { lookup_began: built.lookup.began, lookup_cancelled: built.lookup.cancelled }, says: '' }
}

async function run(row) {
  const kind = { sign: signRow, verify: verifyRow, bcrypt, cancel: cancelRow }[row.kind] ?? httpRow
  try {
    return await kind(row)
  } catch (err) {
    return { outcome: { broken: String(err.stack) }, says: '' }
  }
}

const results = {}
const rows = JSON.parse(readFileSync(0, 'utf8'))
const queue = rows.values()
const worker = async () => {
  for (const row of queue) results[row.name] = await run(row)
}
await Promise.all(Array.from({ length: 8 }, worker))
process.stdout.write(JSON.stringify(results), () => process.exit(0))
