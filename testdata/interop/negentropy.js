// Messages of Negentropy v1: 06-sync §3. Items are { second, id }, sorted by second and id.

import { compare, equal, hex, join, sha256, unhex } from './bytes.js'
import { Refused } from './proto.js'

const protocol = 0x61
export const modes = { skip: 0, fingerprint: 1, ids: 2 }
export const infinity = { second: Infinity, prefix: new Uint8Array() }
export const zero = { second: 0, prefix: new Uint8Array() }
const maxRanges = 4096

/** Base 128 with the most significant digit first. */
export function varint (n) {
  let rest = BigInt(n)
  const out = [Number(rest & 0x7fn)]
  for (rest >>= 7n; rest > 0n; rest >>= 7n) out.unshift(Number(rest & 0x7fn) | 0x80)
  return Uint8Array.from(out)
}

class Reader {
  at = 0

  constructor (bytes) {
    this.bytes = bytes
  }

  get done () {
    return this.at >= this.bytes.length
  }

  take (n) {
    if (n > this.bytes.length - this.at) throw new Refused('form', 'cut short')
    this.at += n
    return this.bytes.slice(this.at - n, this.at)
  }

  varint () {
    let n = 0n
    for (let i = 0; ; i++) {
      const [byte] = this.take(1)
      if (i === 0 && byte === 0x80) throw new Refused('form', 'long varint')
      n = n << 7n | BigInt(byte & 0x7f)
      if (n >> 64n !== 0n) throw new Refused('form', 'varint over 64 bits')
      if (byte < 0x80) return n
    }
  }

  /** A number that says how much follows. */
  count () {
    const n = this.varint()
    if (n > BigInt(this.bytes.length)) throw new Refused('form', 'count')
    return Number(n)
  }
}

/** A message's ranges: { from, to, mode, fingerprint, ids }. */
export function readMessage (bytes) {
  if (bytes[0] !== protocol) throw new Refused('version', 'of the message')
  const r = new Reader(bytes.slice(1))
  const ranges = []
  let from = zero
  while (!r.done) {
    const to = readBound(r, from)
    if (from.second === Infinity || !before(from, to)) throw new Refused('form', 'bounds do not rise')
    const mode = Number(r.varint())
    const range = { from, to, mode }
    if (mode === modes.fingerprint) range.fingerprint = r.take(16)
    else if (mode === modes.ids) range.ids = Array.from({ length: r.count() }, () => r.take(32))
    else if (mode !== modes.skip) throw new Refused('form', 'mode')
    ranges.push(range)
    if (ranges.length > maxRanges) throw new Refused('size', 'ranges')
    from = to
  }
  return ranges
}

function readBound (r, previous) {
  const delta = r.varint()
  const prefix = r.take(r.count())
  if (prefix.length > 32) throw new Refused('form', 'prefix')
  if (delta === 0n) {
    if (prefix.length > 0) throw new Refused('form', 'prefix of infinity')
    return infinity
  }
  const second = BigInt(previous.second) + delta - 1n
  if (second >= 1n << 64n) throw new Refused('form', 'second')
  return { second: Number(second), prefix }
}

/** Is a bound before another one? Prefixes are filled up with zeroes. */
function before (a, b) {
  if (a.second !== b.second) return a.second < b.second
  return a.second !== Infinity && compare(filled(a.prefix), filled(b.prefix)) < 0
}

const filled = prefix => join(prefix, new Uint8Array(32 - prefix.length))

/** Does an item lie below a bound? */
const below = (item, bound) => item.second !== bound.second ? item.second < bound.second : compare(item.id, filled(bound.prefix)) < 0

/** The place of the first item that is not below a bound. */
export function place (items, bound) {
  if (bound.second === Infinity) return items.length
  let [low, high] = [0, items.length]
  while (low < high) {
    const mid = (low + high) >> 1
    if (below(items[mid], bound)) low = mid + 1
    else high = mid
  }
  return low
}

/** Items within a range. */
export const within = (items, from, to) => items.slice(place(items, from), place(items, to))

export function fingerprint (items) {
  let sum = 0n
  for (const { id } of items) sum += BigInt('0x' + hex(id.slice().reverse()))
  const le = unhex((sum & (1n << 256n) - 1n).toString(16).padStart(64, '0')).reverse()
  return sha256(le, varint(items.length)).slice(0, 16)
}

/** The shortest bound between two neighbours. */
export function boundBetween (a, b) {
  if (a.second !== b.second) return { second: b.second, prefix: new Uint8Array() }
  let n = 0
  while (a.id[n] === b.id[n]) n++
  return { second: b.second, prefix: b.id.slice(0, n + 1) }
}

/** Writes ranges one after the other; skips that follow each other become one, and a last one is left out. */
export class MessageWriter {
  parts = [Uint8Array.of(protocol)]
  length = 1
  previous = zero // the bound that the next one is counted from
  from = zero // where the next range begins
  ranges = 0

  skip (to) {
    this.skipped = to
    this.from = to
  }

  fingerprint (to, print) {
    this.#range(to, modes.fingerprint, print)
  }

  ids (to, ids) {
    this.#range(to, modes.ids, varint(ids.length), ...ids)
  }

  #range (to, mode, ...payload) {
    if (this.skipped != null) {
      this.#put(this.#bound(this.skipped), varint(modes.skip))
      this.previous = this.skipped
      this.skipped = null
    }
    this.#put(this.#bound(to), varint(mode), ...payload)
    this.previous = this.from = to
    this.ranges++
  }

  #bound (to) {
    return writeBound(this.previous, to)
  }

  #put (...parts) {
    for (const p of parts) {
      this.parts.push(p)
      this.length += p.length
    }
  }

  end () {
    return join(...this.parts)
  }
}

export function writeBound (previous, to) {
  if (to.second === Infinity) return Uint8Array.of(0, 0)
  return join(varint(BigInt(to.second) - BigInt(previous.second) + 1n), varint(to.prefix.length), to.prefix)
}

/** The server's reply to a message, of at most limit bytes. */
export function answer (items, bytes, limit) {
  if (bytes[0] >= 0x60 && bytes[0] <= 0x6f && bytes[0] !== protocol) return Uint8Array.of(protocol)
  const w = new MessageWriter()
  for (const range of readMessage(bytes)) {
    const here = within(items, range.from, range.to)
    if (range.mode === modes.skip || (range.mode === modes.fingerprint && equal(range.fingerprint, fingerprint(here)))) {
      w.skip(range.to)
      continue
    }
    const ids = range.mode === modes.ids || here.length < 32
    const whole = ids ? list(w, here, range.to, limit) : parts(w, here, range.to, limit)
    if (!whole || w.length > limit - spare) {
      w.fingerprint(infinity, fingerprint(within(items, w.from, infinity)))
      break
    }
  }
  return w.end()
}

const spare = 200 // for what ends a full reply

// Writes the ids that have a place; false if not all have.
function list (w, here, to, limit) {
  const room = Math.max(0, Math.floor((limit - spare - w.length) / 32) + 1)
  if (here.length <= room) {
    w.ids(to, here.map(i => i.id))
    return true
  }
  w.ids({ second: here[room].second, prefix: here[room].id }, here.slice(0, room).map(i => i.id))
  return false
}

// Writes fingerprints of 16 parts, each of at most 60 bytes; false if they have no place.
function parts (w, here, to, limit) {
  if (w.length + 16 * 60 > limit) return false
  const [size, extra] = [Math.floor(here.length / 16), here.length % 16]
  for (let i = 0, at = 0; i < 16; i++) {
    const end = at + size + (i < extra ? 1 : 0)
    w.fingerprint(end === here.length ? to : boundBetween(here[end - 1], here[end]), fingerprint(here.slice(at, end)))
    at = end
  }
  return true
}
