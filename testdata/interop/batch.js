// Batches: 03-events §6 and §7. The tree, the signature, the payload that travels.

import { compare, equal, join, pieces, sha256, u32, verify } from './bytes.js'
import { contentHash, millis, readEvent, salted, writeHeader } from './events.js'
import { Refused, strict, Writer } from './proto.js'

export const maxPayload = 131_072
const maxEvents = 256

const leaf = id => sha256(Uint8Array.of(0), id)
const node = (l, r) => sha256(Uint8Array.of(1), l, r)

// The largest power of two below n.
function split (n) {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

/** §6.1 */
export function rootOf (ids) {
  if (ids.length === 1) return leaf(ids[0])
  const k = split(ids.length)
  return node(rootOf(ids.slice(0, k)), rootOf(ids.slice(k)))
}

export function pathOf (ids, index) {
  if (ids.length === 1) return []
  const k = split(ids.length)
  return index < k
    ? [...pathOf(ids.slice(0, k), index), rootOf(ids.slice(k))]
    : [...pathOf(ids.slice(k), index - k), rootOf(ids.slice(0, k))]
}

/** The root that a path leads to; null if it has another length than its place has. */
export function climb (id, count, index, path) {
  if (count === 1) return path.length === 0 ? leaf(id) : null
  if (path.length === 0) return null
  const k = split(count)
  const below = index < k ? climb(id, k, index, path.slice(0, -1)) : climb(id, count - k, index - k, path.slice(0, -1))
  if (below == null) return null
  return index < k ? node(below, path.at(-1)) : node(path.at(-1), below)
}

/** §6.2 */
export const signed = (count, root) => join('parley/batch/1', u32(count), root)

/** §6.3; a batch is { signature, flags, events, count, index, path }. */
export function writePayload (b) {
  const w = new Writer().bytes(1, b.signature).uint(2, b.flags ?? 0)
  for (const e of b.events) w.always(3, new Writer().bytes(1, e.header).bytes(2, e.content).end())
  if (b.path.length > 0) w.uint(4, b.count).uint(5, b.index).bytes(6, join(...b.path))
  return w.end()
}

/** Reads and verifies a payload, in the order of §7. */
export function readPayload (bytes) {
  if (bytes.length > maxPayload) throw new Refused('too_large', 'payload')
  const f = strict(bytes, { 1: 'bytes', 2: 'uint', 3: 'list', 4: 'uint', 5: 'uint', 6: 'bytes' })
  if (f[1].length !== 64 || f[2] > 255n || f[3].length === 0) throw new Refused('form', 'payload')
  if (f[3].length > maxEvents) throw new Refused('too_large', 'events')
  const events = f[3].map(readItem)
  checkOrder(events)
  const b = { signature: f[1], flags: Number(f[2]), events, ...place(f, events) }
  const root = b.path.length > 0 ? climb(events[0].id, b.count, b.index, b.path) : rootOf(events.map(e => e.id))
  if (root == null) throw new Refused('form', 'length of the path')
  if (!verify(events[0].author, signed(b.count, root), b.signature)) throw new Refused('signature')
  return { ...b, root }
}

function readItem (bytes) {
  const f = strict(bytes, { 1: 'bytes', 2: 'bytes' })
  if (f[1].length === 0) throw new Refused('form', 'item without header')
  return readEvent(f[1], f[2].length === 0 ? null : f[2])
}

// §6.4
function checkOrder (events) {
  for (let i = 1; i < events.length; i++) {
    const [a, b] = [events[i - 1], events[i]]
    if (!equal(a.log, b.log) || !equal(a.author, b.author)) throw new Refused('form', 'another log or author')
    if (b.seq !== a.seq + 1n || !equal(b.parents[0], a.id)) throw new Refused('form', 'chain of a batch')
    if (b.hlc <= a.hlc || millis(b.hlc) - millis(events[0].hlc) > 10_000n) throw new Refused('form', 'time of a batch')
  }
}

// §6.5
function place (f, events) {
  if (f[4] === 0n && f[5] === 0n && f[6].length === 0) return { count: events.length, index: 0, path: [] }
  const path = pieces(f[6], 32)
  const ok = events.length === 1 && f[4] >= 2n && f[4] <= 256n && f[5] < f[4] && path != null && path.length > 0
  if (!ok) throw new Refused('form', 'event alone')
  return { count: Number(f[4]), index: Number(f[5]), path }
}

/**
 * Writes a batch: drafts are { kind, payload, hlc }. previous is the author's last event in the log, or null;
 * heads are ids of the log's heads that are not his.
 */
export function seal (key, log, previous, heads, drafts) {
  const events = []
  for (const d of drafts) {
    const before = events.at(-1) ?? previous
    const content = salted(d.payload)
    const others = events.length === 0 ? heads.slice(0, 7) : []
    const header = writeHeader({
      log,
      author: key.public,
      seq: (before?.seq ?? 0n) + 1n,
      hlc: d.hlc,
      parents: [...(before == null ? [] : [before.id]), ...others.sort(compare)],
      kind: d.kind,
      contentSize: content.length,
      contentHash: contentHash(content)
    })
    events.push(readEvent(header, content))
  }
  const root = rootOf(events.map(e => e.id))
  const b = { signature: key.sign(signed(events.length, root)), flags: 0, events, count: events.length, index: 0, path: [], root }
  return readPayload(writePayload(b))
}
