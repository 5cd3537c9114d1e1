// Rows of the kinds sign, verify and bcrypt, on jsonwebtoken and on bcrypt or bcryptjs where one is installed.
import { createRequire } from 'node:module'
const require = createRequire(process.env.PEERS + '/')
const jwt = require('jsonwebtoken')

const nap = (ms) => new Promise((go) => setTimeout(go, ms))

export async function signRow({ sign: s }) {
  let token
  let says = ''
  let calls = 1
  const payload = s.payload ?? undefined
  if (s.async) {
    calls = 0
    jwt.sign(payload, s.material, options(s.options), (err, t) => {
      calls++
      says ||= err ? err.message : ''
      token = t
    })
    await nap(200)
  } else {
    try {
      token = jwt.sign(payload, s.material, options(s.options))
    } catch (err) {
      says = err.message
    }
  }
  const outcome = { signed: Boolean(token), calls }
  if (token) {
    const { header, payload: claims } = jwt.decode(token, { complete: true })
    Object.assign(outcome, { header, claims: relative(claims) })
    if (s.options?.mutatePayload) outcome.payload_changed = 'exp' in payload
  }
  return { outcome, says }
}

// relative writes times as distances, so that they can stand in a table.
function relative(claims) {
  if (typeof claims !== 'object') return claims
  const out = { ...claims }
  const now = Math.floor(Date.now() / 1000)
  const base = claims.iat ?? now
  for (const name of ['exp', 'nbf']) {
    if (!(name in out)) continue
    out[name] -= base
    if (claims.iat === undefined) out[name] = Math.round(out[name] / 60) * 60 // the clock went on meanwhile
  }
  if ('iat' in out) out.iat = Math.abs(out.iat - now) < 5 ? 'now' : out.iat
  return out
}

// options turns what JSON cannot say into what jsonwebtoken takes: "/…/" is a regular expression.
export function options(o = {}) {
  const out = { ...o }
  const regexp = (v) => (typeof v === 'string' && /^\/.*\/$/.test(v) ? new RegExp(v.slice(1, -1)) : v)
  if (out.audience !== undefined) out.audience = Array.isArray(out.audience) ? out.audience.map(regexp) : regexp(out.audience)
  if (typeof out.clockTimestamp === 'string') out.clockTimestamp = Math.floor(Date.now() / 1000) + parseInt(out.clockTimestamp, 10)
  return out
}

// The check that each message of jsonwebtoken is about, in the words of our package jwt.
const checks = [
  [/^jwt must be/, 'shape'], [/^jwt malformed/, 'shape'], [/^invalid token/, 'encoding'],
  [/^(jwt signature is required|invalid signature)/, 'signature'], [/^invalid algorithm/, 'alg'],
  [/^(secretOrPublicKey|secret or public key must|error in secret|"alg" parameter|Unknown key type)/, 'key'],
  [/^(jwt not active|invalid nbf)/, 'nbf'], [/^(jwt expired|invalid exp)/, 'exp'], [/^jwt audience/, 'aud'], [/^jwt issuer/, 'iss'],
  [/^jwt subject/, 'sub'], [/^jwt jwtid/, 'jti'], [/^jwt nonce/, 'nonce'], [/^(maxAge exceeded|iat required)/, 'age'],
]

export async function verifyRow({ verify: v }) {
  try {
    const got = jwt.verify(v.token, v.material, options(v.options))
    const outcome = { accepted: true }
    outcome.gives = got && got.payload && got.header ? ['header', 'payload', 'signature'].filter((k) => k in got) : ['payload']
    return { outcome, says: '' }
  } catch (err) {
    const found = checks.find(([re]) => re.test(err.message))
    return { outcome: { accepted: false, check: found ? found[1] : 'unknown' }, says: `${err.name}: ${err.message}` }
  }
}

export async function bcrypt({ bcrypt: b }) {
  for (const name of ['bcrypt', 'bcryptjs']) {
    let lib
    try {
      lib = require(name)
    } catch {
      continue
    }
    const hash = b.hash || lib.hashSync(b.password, 4)
    return { outcome: { matches: lib.compareSync(b.guess, hash) }, says: '' }
  }
  return { unavailable: 'bcrypt or bcryptjs', outcome: {}, says: '' }
}
