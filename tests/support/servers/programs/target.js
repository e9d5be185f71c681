// A target on Node's http, for tests of what leaves: PORT, SECONDS an idle connection is kept, and
// a file with certificate and key for TLS. It speaks the paths of tests/support/servers.
'use strict'
const fs = require('node:fs')
const [port, seconds, identity] = process.argv.slice(2)

const plain = (request, answer, length) => {
  const text = JSON.stringify({ port: request.socket.remotePort, length })
  answer.writeHead(200, { 'Content-Length': text.length }).end(text)
}
const answers = {
  '/204': (_, answer) => answer.writeHead(204).end(),
  '/304': (_, answer) => answer.writeHead(304).end(),
  '/304-length': (_, answer) => answer.writeHead(304, { 'Content-Length': 1234 }).end(),
  '/204-length': (_, answer) => answer.writeHead(204, { 'Content-Length': 1234 }).end(),
  '/large': (_, answer) => answer.end('x'.repeat(1 << 20)),
  '/chunked': (_, answer) => {
    answer.writeHead(200, { Trailer: 'X-Checked' })
    answer.write('one ')
    answer.addTrailers({ 'X-Checked': 'yes' })
    answer.end('two')
  },
  '/interim': (request, answer, length) => {
    answer.writeContinue()
    answer.writeEarlyHints({ link: '</style.css>; rel=preload' })
    plain(request, answer, length)
  },
  // Node resets plain connections only
  '/reset': ({ socket }) => (socket.encrypted ? socket.destroy() : socket.resetAndDestroy()),
}

const answer = (request, answer) => {
  if (request.url === '/early') { // before anything of the body is read
    answer.writeHead(401).end()
    return
  }
  let length = 0
  request.on('data', piece => { length += piece.length })
  request.on('end', () => (answers[request.url] ?? plain)(request, answer, length))
}

const pem = identity && fs.readFileSync(identity)
const server = identity
  ? require('node:https').createServer({ cert: pem, key: pem }, answer)
  : require('node:http').createServer(answer)
server.keepAliveTimeout = Number(seconds) * 1000
server.keepAliveTimeoutBuffer = 0
server.listen(Number(port), '127.0.0.1')
