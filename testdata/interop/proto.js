// Protobuf: a writer, the strict reader of 03-events §1.2, and a loose one.

import { join } from './bytes.js'

/** A message or frame that is wrong for everyone; reason is a word of the pages. */
export class Refused extends Error {
  constructor (reason, what = '') {
    super(what === '' ? reason : `${reason}: ${what}`)
    this.reason = reason
  }
}

export function varint (n) {
  let rest = BigInt(n)
  const out = []
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  out.push(Number(rest))
  return Uint8Array.from(out)
}

/** Writes fields in the order of the calls; what is 0 or empty is left out. */
export class Writer {
  parts = []

  uint (field, n) {
    return BigInt(n) === 0n ? this : this.#put(field, 0, varint(n))
  }

  bytes (field, b) {
    return b == null || b.length === 0 ? this : this.always(field, b)
  }

  /** A field that is written even if it is empty, such as a message. */
  always (field, b) {
    return this.#put(field, 2, varint(b.length), b)
  }

  end () {
    return join(...this.parts)
  }

  #put (field, wire, ...value) {
    this.parts.push(varint(field * 8 + wire), ...value)
    return this
  }
}

/** Reads a varint at at: [number as BigInt, place behind it]. */
export function readVarint (b, at, strict) {
  let n = 0n
  for (let i = 0; i < 10; i++) {
    if (at + i >= b.length) throw new Refused('form', 'cut short')
    const byte = b[at + i]
    n |= BigInt(byte & 0x7f) << BigInt(7 * i)
    if (byte < 0x80) {
      if (n >> 64n !== 0n) throw new Refused('form', 'varint over 64 bits')
      if (strict && byte === 0 && i > 0) throw new Refused('form', 'long varint')
      return [n, at + i + 1]
    }
  }
  throw new Refused('form', 'varint of over ten bytes')
}

/** The fields of a message as they stand: { field, wire, value }; value is a BigInt or bytes. */
export function * fields (b, strict) {
  let at = 0
  while (at < b.length) {
    let tag, value
    [tag, at] = readVarint(b, at, strict)
    const field = tag >> 3n
    const wire = Number(tag & 7n)
    if (field === 0n || field > 0x1fffffffn) throw new Refused('form', 'field number')
    if (wire === 0) {
      [value, at] = readVarint(b, at, strict)
    } else {
      let size = { 1: 8n, 5: 4n }[wire]
      if (wire === 2) [size, at] = readVarint(b, at, strict)
      if (size == null || (strict && wire !== 2)) throw new Refused('form', 'wire type')
      if (size > BigInt(b.length - at)) throw new Refused('form', 'length beyond the end')
      value = b.slice(at, at + Number(size))
      at += Number(size)
    }
    yield { field: Number(field), wire, value }
  }
}

/**
 * Reads a message in the strict form. shape names the fields: { 1: 'uint', 2: 'bytes', 3: 'list' };
 * a list may stand several times. later says whether higher fields may follow. Absent is 0n, empty, [].
 */
export function strict (b, shape, { later = false } = {}) {
  const out = {}
  for (const f in shape) out[f] = { uint: 0n, bytes: new Uint8Array(), list: [] }[shape[f]]
  const highest = Math.max(...Object.keys(shape).map(Number))
  let last = 0
  for (const { field, wire, value } of fields(b, true)) {
    const type = shape[field]
    if (field < last || (field === last && type !== 'list')) throw new Refused('form', 'order of fields')
    last = field
    if (wire === 0 ? value === 0n : value.length === 0) throw new Refused('form', 'an absent value is written')
    if (type == null) {
      if (!later || field < highest) throw new Refused('form', 'unknown field')
      continue
    }
    if ((type === 'uint') !== (wire === 0)) throw new Refused('form', 'type of a field')
    if (type === 'list') out[field].push(value)
    else out[field] = value
  }
  return out
}

/** Reads a message whose unknown fields are skipped; the last of what stands twice counts, another type is absent. */
export function loose (b, shape) {
  const out = {}
  for (const f in shape) out[f] = { uint: 0n, bytes: new Uint8Array(), list: [] }[shape[f]]
  for (const { field, wire, value } of fields(b, false)) {
    const type = shape[field]
    if (type == null) continue
    const fits = wire === (type === 'uint' ? 0 : 2)
    if (type === 'list') {
      if (fits) out[field].push(value)
    } else {
      out[field] = fits ? value : type === 'uint' ? 0n : new Uint8Array()
    }
  }
  return out
}

/** A number of the message that has to fit 32 bits. */
export function small (n) {
  if (n >> 32n !== 0n) throw new Refused('form', 'number over 32 bits')
  return Number(n)
}
