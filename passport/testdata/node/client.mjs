// A client that keeps one cookie, follows no redirect and sends header lines as they are.
import http from 'node:http'

export const listen = (app) => new Promise((done) => {
  const server = http.createServer(app).listen(0, '127.0.0.1', () => done(server))
})

export function close(server) {
  server.close()
  server.closeAllConnections()
}

// exchange sends a request of the table: {method, path, headers: {name: value | [values]}, form | json | body}.
// No answer in time, or leaving because of the signal, is {hung: true}.
export function exchange(client, request, timeout = 30000, signal = undefined) {
  const headers = { ...request.headers }
  let body = request.body
  if (request.form !== undefined) {
    headers['Content-Type'] ??= 'application/x-www-form-urlencoded'
    body = request.form
  }
  if (request.json !== undefined) {
    headers['Content-Type'] ??= 'application/json'
    body = JSON.stringify(request.json)
  }
  if (client.cookie && !headers.Cookie) headers.Cookie = client.cookie
  const method = request.method || (body === undefined || body === '' ? 'GET' : 'POST')
  if (body) headers['Content-Length'] = Buffer.byteLength(body)
  return new Promise((done, fail) => {
    const port = client.server.address().port
    const req = http.request({ host: '127.0.0.1', port, method, path: request.path || '/', headers, agent: false }, (res) => {
      const chunks = []
      res.on('data', (c) => chunks.push(c))
      res.on('end', () => {
        clearTimeout(timer)
        for (const line of res.headers['set-cookie'] ?? []) client.cookie = line.split(';')[0]
        done({
          status: res.statusCode,
          type: (res.headers['content-type'] ?? '').split(';')[0],
          challenges: lines(res.rawHeaders, 'www-authenticate'),
          location: res.headers.location,
          cache: res.headers['cache-control'],
          body: Buffer.concat(chunks).toString(),
        })
      })
      res.on('error', () => {})
    })
    const hang = () => {
      clearTimeout(timer)
      done({ hung: true })
      req.destroy()
    }
    const timer = setTimeout(hang, timeout)
    signal?.addEventListener('abort', hang)
    req.on('error', (err) => {
      clearTimeout(timer)
      fail(err)
    })
    req.end(body)
  })
}

function lines(raw, name) {
  const values = []
  for (let i = 0; i < raw.length; i += 2) if (raw[i].toLowerCase() === name) values.push(raw[i + 1])
  return values
}
