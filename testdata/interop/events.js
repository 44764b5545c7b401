// Events: 03-events §2 to §5 and §8. Headers, contents, ids, logs and the clock.

import { ascii, compare, equal, hex, join, pieces, random, sha256, utf8 } from './bytes.js'
import { Refused, strict, Writer } from './proto.js'

export const kinds = { message: 1, profile: 2, leave: 3 }
const maxHeader = 1024
const maxContent = 65536

/** §2.1 */
export function logId (network, kind, seed) {
  return sha256('parley/log/1', network, Uint8Array.of(kind), seed)
}

export const roomLog = (network, key) => logId(network, 1, new TextEncoder().encode(key))
export const directLog = (network, a, b) => logId(network, 3, join(...[a, b].sort(compare)))

const shape = {
  1: 'uint', 2: 'bytes', 3: 'bytes', 4: 'uint', 5: 'uint', 6: 'bytes', 7: 'uint', 8: 'uint', 9: 'uint', 10: 'uint', 11: 'bytes'
}

/** §3.1. numbers that may pass 2^53 are BigInts. */
export function writeHeader (h) {
  return new Writer().uint(1, h.version ?? 256).bytes(2, h.log).bytes(3, h.author).uint(4, h.seq).uint(5, h.hlc)
    .bytes(6, join(...h.parents)).uint(7, h.kind).uint(8, h.keyEpoch ?? 0n).uint(9, h.expiry ?? 0n)
    .uint(10, h.contentSize).bytes(11, h.contentHash).end()
}

/** An event out of its header's bytes and its content, null if that is erased. */
export function readEvent (header, content) {
  const version = versionOf(header)
  if (version >> 8n !== 1n) throw new Refused('version')
  if (header.length > maxHeader) throw new Refused('too_large', 'header')
  const f = strict(header, shape, { later: version > 256n })
  const need = (ok, what) => { if (!ok) throw new Refused('form', what) }
  need(f[2].length === 32 && f[3].length === 32 && f[11].length === 32, 'length of a field')
  need(f[4] > 0n && f[5] > 0n, 'seq or hlc')
  need(f[7] > 0n && f[7] < 1n << 32n, 'kind')
  need(f[9] < 1n << 48n, 'expiry')
  need(f[10] >= 16n, 'content size')
  if (f[10] > BigInt(maxContent)) throw new Refused('too_large', 'content')
  const e = {
    header,
    content,
    id: sha256('parley/event/1', header),
    version: Number(version),
    log: f[2],
    author: f[3],
    seq: f[4],
    hlc: f[5],
    parents: pieces(f[6], 32),
    kind: Number(f[7]),
    keyEpoch: f[8],
    expiry: f[9],
    contentSize: Number(f[10]),
    contentHash: f[11]
  }
  need(e.parents != null, 'parents')
  checkParents(e, need)
  if (content != null && (content.length !== e.contentSize || !equal(contentHash(content), e.contentHash))) throw new Refused('hash')
  return e
}

// §3.3: the version is read first, and of another major version nothing else.
function versionOf (header) {
  const first = strict(header.subarray(0, prefix(header)), { 1: 'uint' })
  if (first[1] === 0n || first[1] >> 16n !== 0n) throw new Refused('form', 'version')
  return first[1]
}

// The length of the first field, if that is a varint.
function prefix (header) {
  if (header[0] !== 8) return header.length
  let at = 1
  while (at < header.length && header[at] >= 0x80) at++
  return Math.min(at + 1, header.length)
}

// §3.4
function checkParents (e, need) {
  if (e.parents.length > 8 || (e.seq === 1n && e.parents.length > 7)) throw new Refused('too_large', 'parents')
  need(e.seq === 1n || e.parents.length > 0, 'previous event')
  const heads = e.seq === 1n ? e.parents : e.parents.slice(1)
  need(heads.every((h, i) => i === 0 || compare(heads[i - 1], h) < 0), 'order of parents')
  need(e.seq === 1n || heads.every(h => !equal(h, e.parents[0])), 'previous event twice')
}

export const contentHash = content => sha256('parley/content/1', content)
export const millis = hlc => hlc >> 16n
export const seconds = hlc => Number(millis(hlc) / 1000n)

/** Order of a history, §3.5. */
export function byTime (a, b) {
  return a.hlc < b.hlc ? -1 : a.hlc > b.hlc ? 1 : compare(a.id, b.id)
}

// Contents, §4. The salt stands before each.

export function writeText (text) {
  return new Writer().bytes(1, ascii('text')).bytes(2, new TextEncoder().encode(text)).end()
}

export function writeProfile (nick) {
  return new Writer().bytes(1, new TextEncoder().encode(nick)).end()
}

export const salted = payload => join(random(16), payload)

/** §4.2: { type, data, fallback } */
export function readMessage (payload) {
  const f = strict(payload, { 1: 'bytes', 2: 'bytes', 3: 'bytes' }, { later: true })
  const type = utf8(f[1])
  const fallback = utf8(f[3])
  if (f[1].length > 64 || type == null || !/^[\x21-\x7e]+$/.test(type) || fallback == null) throw new Refused('form', 'message')
  if (type === 'text' && (utf8(f[2]) == null || fallback !== '')) throw new Refused('form', 'text')
  return { type, data: f[2], fallback }
}

/** §4.3 */
export function readProfile (payload) {
  const nick = utf8(strict(payload, { 1: 'bytes' }, { later: true })[1])
  if (nick == null) throw new Refused('form', 'nick')
  if ([...nick].length > 64 || new TextEncoder().encode(nick).length > 256) throw new Refused('too_large', 'nick')
  return { nick }
}

/** What a person is shown of an event. */
export function show (e) {
  const out = { id: hex(e.id), author: hex(e.author), seq: Number(e.seq), hlc: String(e.hlc), kind: e.kind, parents: e.parents.map(hex) }
  if (e.content == null) return { ...out, erased: true }
  const payload = e.content.subarray(16)
  try {
    if (e.kind === kinds.profile) return { ...out, ...readProfile(payload) }
    if (e.kind !== kinds.message) return out
    const m = readMessage(payload)
    return { ...out, type: m.type, text: m.type === 'text' ? utf8(m.data) : m.fallback }
  } catch (err) {
    if (err instanceof Refused) return { ...out, unreadable: true }
    throw err
  }
}

/** The hybrid clock, §8: one for all logs of an author. */
export class Clock {
  last = 0n

  now (wall = BigInt(Date.now())) {
    let hlc = max(wall << 16n, this.last + 1n)
    if (millis(hlc) > wall + 10_000n) hlc = max(wall << 16n, 1n)
    this.last = hlc
    return hlc
  }

  saw (hlc, wall = BigInt(Date.now())) {
    if (millis(hlc) <= wall + 10_000n) this.last = max(this.last, hlc)
  }
}

const max = (a, b) => a > b ? a : b
