// Signals: 05-presence.

import { join, pieces, utf8, verify } from './bytes.js'
import { loose, Refused, Writer } from './proto.js'

const maxSignal = 16_384
const limits = { rooms: 64, heads: 8, chains: 8, name: 256, interval: 3_600_000n }

/** §2: the envelope of a signal that key's author tells. */
export function writeSignal (key, network, s) {
  const w = new Writer().bytes(1, key.public).uint(2, s.time).uint(3, s.seq).uint(4, s.interval)
    .bytes(5, new TextEncoder().encode(s.nick ?? '')).uint(6, s.goodbye ? 1 : 0).uint(7, s.total)
  for (const r of s.rooms) w.always(8, writeRoom(r))
  const body = w.end()
  return new Writer().bytes(1, body).bytes(2, key.sign(join('parley/signal/1', network, body))).end()
}

function writeRoom (r) {
  const w = new Writer().bytes(1, new TextEncoder().encode(r.name)).uint(2, r.seq).uint(3, r.complete ? 1 : 0)
    .bytes(4, join(...r.heads))
  for (const c of r.chains ?? []) w.always(5, new Writer().bytes(1, c.author).uint(2, c.seq).end())
  return w.end()
}

export function readSignal (bytes, network) {
  if (bytes.length > maxSignal) throw new Refused('form', 'size')
  const envelope = loose(bytes, { 1: 'bytes', 2: 'bytes' })
  const f = loose(envelope[1], { 1: 'bytes', 2: 'uint', 3: 'uint', 4: 'uint', 5: 'bytes', 6: 'uint', 7: 'uint', 8: 'list' })
  const nick = text(f[5], 0)
  const ok = f[1].length === 32 && f[4] >= 1n && f[4] <= limits.interval && nick != null && f[8].length <= limits.rooms
  if (!ok) throw new Refused('form', 'signal')
  const rooms = f[8].map(readRoom)
  if (!verify(f[1], join('parley/signal/1', network, envelope[1]), envelope[2])) throw new Refused('signature')
  return {
    author: f[1], time: Number(f[2]), seq: f[3], interval: Number(f[4]), nick, goodbye: (f[6] & 1n) === 1n, total: Number(f[7]), rooms
  }
}

function readRoom (bytes) {
  const f = loose(bytes, { 1: 'bytes', 2: 'uint', 3: 'uint', 4: 'bytes', 5: 'list' })
  const [name, heads] = [text(f[1], 1), pieces(f[4], 32)]
  const ok = name != null && heads != null && heads.length <= limits.heads && f[5].length <= limits.chains
  if (!ok) throw new Refused('form', 'room')
  return { name, seq: f[2], complete: (f[3] & 1n) === 1n, heads, chains: f[5].map(readChain) }
}

function readChain (bytes) {
  const f = loose(bytes, { 1: 'bytes', 2: 'uint' })
  if (f[1].length !== 32) throw new Refused('form', 'chain')
  return { author: f[1], seq: f[2] }
}

// A text without control characters and marks of writing direction; null otherwise.
function text (bytes, least) {
  const s = utf8(bytes)
  const ok = s != null && bytes.length >= least && bytes.length <= limits.name &&
    !/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(s)
  return ok ? s : null
}
