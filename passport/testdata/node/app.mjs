// Builds an Express application from a row of the table.
import { createRequire } from 'node:module'
import { options as tokenOptions } from './tokens.mjs'
const require = createRequire(process.env.PEERS + '/')
const express = require('express')
const session = require('express-session')
const { Passport } = require('passport')
const { Strategy: LocalStrategy } = require('passport-local')
const { Strategy: JwtStrategy, ExtractJwt } = require('passport-jwt')
const BaseStrategy = require('passport-strategy')

const passwords = { alice: 'correct horse', bob: 'battery staple', long: 'x'.repeat(100) }
const person = (name) => ({ name })

export function buildApp(row) {
  const state = { row, passport: new Passport(), error: '', lookup: { began: false, cancelled: false }, waiting: [], instances: {} }
  const { passport } = state
  for (const spec of row.strategies ?? []) {
    const strategy = makeStrategy(state, spec)
    state.instances[spec.name || strategy.name] = strategy
    if (spec.nameless) passport.use(undefined, strategy)
    else if (spec.name) passport.use(spec.name, strategy)
    else passport.use(strategy)
  }
  for (const name of row.unuse ?? []) passport.unuse(name)
  if (row.framework) passport.framework(foreignFramework())
  serializers(passport, row)

  const app = express()
  const store = new session.MemoryStore()
  if (!row.no_session) app.use(session({ secret: 'table', resave: false, saveUninitialized: false, store, name: 'sid' }))
  if (!row.no_body_parser) {
    app.use(express.json(), express.urlencoded({ extended: true }))
  }
  app.post('/__seed', express.json(), (req, res) => {
    for (const [k, v] of Object.entries(req.body)) {
      if (k === 'user') req.session.passport = { user: v }
      else req.session[k] = v
    }
    res.end()
  })
  app.get('/__session', (req, res) => res.json(dump(req, store)))
  app.use((req, res, next) => {
    req.flash = row.flash === false ? undefined : (type, msg) => {
      const all = (req.session.flash ??= {})
      ;(all[type] ??= []).push(msg)
    }
    if (req.headers['x-tenant']) req.tenant = req.headers['x-tenant']
    next()
  })
  if (row.user_property) app.use(passport.initialize({ userProperty: row.user_property }))
  for (const spec of row.guards ?? []) app.use(guard(state, spec))
  app.use(handler(row))
  app.use((err, req, res, next) => {
    state.error = `${err.name}: ${err.message}`
    if (res.headersSent) return next(err)
    res.status(err.status || 500).end()
  })
  return {
    app,
    lookup: state.lookup,
    waiting: state.waiting,
    lastError: () => state.error,
    finish(outcome) {
      if (state.error) outcome.error_class = state.error.split(':')[0]
    },
  }
}

function guard({ passport, instances }, spec) {
  const names = spec.use
  const what = spec.instance ? instances[names] : names
  const options = spec.options
  if (spec.authorize) return passport.authorize(what, options)
  if (spec.session) return passport.session(options)
  const report = (req, res, next) => (err, user, info, status) => {
    if (err) return next(err)
    res.json({ callback: plain({ user: user ? user.name : false, info: describe(info), status }) })
  }
  if (spec.callback) return (req, res, next) => passport.authenticate(what, options, report(req, res, next))(req, res, next)
  return passport.authenticate(what, options)
}

const plain = (v) => JSON.parse(JSON.stringify(v))

function describe(info) {
  if (Array.isArray(info)) return info.map(describe)
  if (info instanceof Error) return info.message
  return info
}

function handler(row) {
  const property = row.user_property || 'user'
  const whoami = (req, res, extra = {}) => {
    const found = ['user', 'account', 'member', 'linked'].filter((p) => req[p] !== undefined && req[p] !== null)
    const out = { user: req[property]?.name ?? 'nobody', found_in: found.map((p) => 'req.' + p), ...extra }
    const other = row.guards?.at(-1)?.options?.assignProperty ?? 'account'
    if (req[other] && other !== property) out.account = req[other].name
    if (req.authInfo !== undefined) out.info = plain(req.authInfo)
    if (req.isAuthenticated) {
      out.authenticated = req.isAuthenticated()
      out.unauthenticated = req.isUnauthenticated()
    }
    res.json(out)
  }
  const done = (req, res, next) => (err) => (err ? next(err) : whoami(req, res))
  const kinds = {
    whoami: (req, res) => whoami(req, res),
    echo: (req, res) => {
      let text = ''
      req.on('data', (c) => (text += c)).on('end', () => whoami(req, res, { echo: text }))
    },
    logout: (req, res, next) => req.logout(row.handler_options, done(req, res, next)),
    'logout without callback': (req, res) => {
      req.logout()
      whoami(req, res)
    },
    'login bob': (req, res, next) => req.logIn(person('bob'), row.handler_options, done(req, res, next)),
    'login bob without callback': (req, res) => {
      req.logIn(person('bob'))
      whoami(req, res)
    },
  }
  return kinds[row.handler || 'whoami']
}

function dump(req, store) {
  const data = { ...req.session }
  delete data.cookie
  const user = data.passport?.user
  delete data.passport
  if (user !== undefined) data.user = String(user)
  const sid = decodeURIComponent((req.headers.cookie ?? '').split('=')[1] ?? '').replace(/^s:/, '').split('.')[0]
  return { data, exists: Boolean(sid && store.sessions[sid]) }
}

function serializers(passport, row) {
  const pass = (...args) => args.at(-1)('pass')
  const broken = (...args) => args.at(-1)(new Error('db.internal is down'))
  const to = { name: (u, done) => done(null, u.name), error: broken, pass, empty: (u, done) => done(null, '') }
  const from = { name: (id, done) => done(null, person(String(id))), error: broken, pass, gone: (id, done) => done(null, false) }
  for (const how of [row.serialize || 'name'].flat()) if (how !== 'none') passport.serializeUser(to[how])
  for (const how of [row.deserialize || 'name'].flat()) if (how !== 'none') passport.deserializeUser(from[how])
  if (row.transform_auth_info) passport.transformAuthInfo((info, done) => done(null, { ...info, transformed: true }))
}

// foreignFramework is an adapter as passport.framework takes it: the one for Connect, and a mark that it was asked.
function foreignFramework() {
  const connect = require('passport/lib/framework/connect')()
  return {
    initialize: connect.initialize,
    authenticate: (passport, name, options, callback) => {
      const inner = connect.authenticate(passport, name, options, callback)
      return (req, res, next) => {
        req.account = person('foreign framework')
        inner(req, res, next)
      }
    },
  }
}

function makeStrategy(state, spec) {
  if (spec.type === 'local') return new LocalStrategy(spec.options ?? {}, verifyPassword(state, spec))
  if (spec.type === 'jwt') return makeJwt(state, spec)
  if (spec.type === 'base') return new (class extends BaseStrategy {})()
  return new Script(spec)
}

// verifyPassword is the verify callback: by default a look at the table of passwords.
function verifyPassword(state, spec) {
  const look = (u, p) => (passwords[u] !== undefined && passwords[u] === p ? person(u) : false)
  const kinds = {
    users: (u, p, done) => done(null, look(u, p)),
    message: (u, p, done) => done(null, look(u, p), { message: 'Say that again.', type: 'warning' }),
    challenge: (u, p, done) => done(null, look(u, p), 'Basic realm="members"'),
    error: (u, p, done) => done(new Error('db.internal is down')),
    throw: () => { throw new Error('bug') },
    types: (u, p, done) => done(null, person(`${typeof u} ${u}`)),
    promise: async (u, p) => look(u, p),
    tenant: (req, u, p, done) => done(null, person(`${u} of ${req.tenant}`)),
    barrier: (u, p, done) => {
      state.waiting.push([u, () => done(null, look(u, p))])
      if (state.waiting.length < state.row.concurrent.length) return
      for (const [, go] of state.waiting.sort()) go()
    },
  }
  return spec.verify === 'none' ? undefined : kinds[spec.verify || 'users']
}

function makeJwt(state, spec) {
  const { lookup } = state
  const options = tokenOptions({ issuer: 'https://issuer.example', audience: 'https://api.example', ...spec.options })
  for (const k of Object.keys(options)) if (options[k] === null) delete options[k]
  if (options.jsonWebTokenOptions) options.jsonWebTokenOptions = tokenOptions(options.jsonWebTokenOptions)
  if (spec.material && spec.provider !== 'only') options.secretOrKey = spec.material
  const providers = {
    key: (req, raw, done) => done(null, spec.material),
    error: (req, raw, done) => done(new Error('connect jwks.internal: refused')),
    hang: (...args) => {
      lookup.began = true
      const signal = args.find((a) => a instanceof AbortSignal)
      signal?.addEventListener('abort', () => (lookup.cancelled = true))
    },
  }
  if (spec.provider) {
    options.secretOrKeyProvider = providers[spec.provider]
    if (!spec.both) delete options.secretOrKey
  }
  if (spec.extract !== 'none') options.jwtFromRequest = extractor(spec.extract)
  const load = (payload, done) => {
    const claims = payload.payload ?? payload // with complete: true
    if (claims.sub === 'down') return done(new Error('db.internal is down'))
    if (claims.sub === 'thrown') throw new Error('bug')
    if (spec.verify === 'challenge') return done(null, false, 'Bearer realm="api"')
    if (spec.verify === 'claims') return done(null, person(Object.keys(payload).filter((k) => ['header', 'payload', 'signature'].includes(k)).join(' ') || 'claims'))
    done(null, passwords[claims.sub] ? person(claims.sub) : false)
  }
  const verify = options.passReqToCallback ? (req, payload, done) => load(payload, (e, u, i) => done(e, u && person(`${u.name} of ${req.tenant}`), i)) : load
  return new JwtStrategy(options, spec.verify === 'none' ? undefined : verify)
}

function extractor(spec) {
  if (spec === undefined) return ExtractJwt.fromAuthHeaderAsBearerToken()
  const [[kind, arg]] = Object.entries(spec)
  if (kind === 'fromExtractors') return ExtractJwt.fromExtractors(Array.isArray(arg) ? arg.map(extractor) : arg)
  if (kind === 'custom') return (req) => req.headers[arg.toLowerCase()]?.replace(/^v1:/, '') ?? null
  return ExtractJwt[kind](arg)
}

// Script is a strategy that does what the row says.
class Script extends BaseStrategy {
  constructor(spec) {
    super()
    this.spec = spec
    this.name = spec.nameless ? undefined : spec.name
  }

  authenticate(req, options) {
    const s = this.spec
    const acts = {
      success: () => this.success(s.user === undefined ? null : person(s.user), s.info),
      fail: () => this.fail(s.challenge, s.status),
      'fail with a number': () => this.fail(s.status),
      redirect: () => this.redirect(s.url, s.status),
      pass: () => this.pass(),
      error: () => this.error(new Error('db.internal is down')),
      throw: () => { throw new Error('bug') },
      nothing: () => {},
      'by header': () => {
        const name = req.headers['x-' + s.name]
        if (!name) return this.fail(s.challenge, s.status)
        this.success(person(name), s.info)
      },
      option: () => this.success(person(`option ${options.scope}`)),
    }
    acts[s.do]()
  }
}
