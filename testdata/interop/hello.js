// Hello: 02-hello. Two sides that take messages and make the next one; running them over a stream is admission.js.

import { hmac } from '@noble/hashes/hmac.js'
import { sha256 as sha } from '@noble/hashes/sha2.js'
import { equal, join, random, sha256, u32 } from './bytes.js'
import { fields, readVarint, Refused, small, varint, Writer } from './proto.js'

const limit = 1024
const version = 1
const secretMethod = 1

/** What a side is made of; versions and features are there for the vectors. */
export function side (peerId, network, extra = {}) {
  return { peerId, network, nonce: random(32), min: version, max: version, features: 0, role: 1, clock: Date.now(), ...extra }
}

/** Begins a handshake: hello() makes message 1, challenge(m) takes 2 and makes 3, ack(m) takes 4. */
export class Initiator {
  constructor (me, responderId) {
    this.me = me
    this.ids = [me.peerId, responderId]
  }

  hello () {
    const offered = this.me.network.keys.map(k => k.epoch).sort((a, b) => b - a).slice(0, 8)
    this.body1 = writeBody(this.me, {
      2: mark(this.me.network.id, this.me.nonce),
      3: this.me.min,
      4: this.me.max,
      8: join(...offered.map(varint)),
      9: secretMethod
    })
    return message(1, this.body1)
  }

  challenge (bytes) {
    const m = readMessage(bytes, 2, this.body1)
    const b = readBody(m.body)
    if (equal(b.nonce, this.me.nonce)) throw new Refused('reflected')
    if (b.version < this.me.min || b.version > this.me.max) throw new Refused('version')
    if (b.method !== secretMethod) throw new Refused('method')
    this.key = keyOf(this.me.network, b.epoch)
    this.bodies = [this.body1, m.body]
    check(m.proof, this.#proof('challenge'))
    this.result = { version: b.version, epoch: b.epoch, features: b.features & this.me.features, clock: b.clock }
    this.bodies.push(new Uint8Array())
    return message(3, null, this.#proof('proof'))
  }

  ack (bytes) {
    const m = readMessage(bytes, 4)
    this.bodies.push(m.body)
    check(m.proof, this.#proof('ack'))
    return this.result
  }

  #proof (label) {
    return proof(this.key, label, this.me.network.id, this.ids, this.bodies)
  }
}

/** Answers one: challenge(m) takes message 1 and makes 2, ack(m) takes 3 and makes 4; then the initiator is admitted. */
export class Responder {
  constructor (me, initiatorId) {
    this.me = me
    this.ids = [initiatorId, me.peerId]
  }

  challenge (bytes) {
    const m = readMessage(bytes, 1)
    const b = readBody(m.body)
    if (equal(b.nonce, this.me.nonce)) throw new Refused('reflected')
    if (!equal(b.mark, mark(this.me.network.id, b.nonce))) throw new Refused('network')
    const common = Math.min(this.me.max, b.max)
    if (b.min > b.max || common < Math.max(this.me.min, b.min, 1)) throw new Refused('version')
    if ((b.methods & secretMethod) === 0) throw new Refused('method')
    const known = this.me.network.keys.map(k => k.epoch).filter(e => b.epochs.includes(e))
    if (known.length === 0) throw new Refused('epoch')
    const epoch = Math.max(...known)
    this.key = keyOf(this.me.network, epoch)
    const body = writeBody(this.me, { 10: common, 11: epoch, 12: secretMethod })
    this.bodies = [m.body, body]
    this.result = { version: common, epoch, features: b.features & this.me.features, clock: b.clock }
    return message(2, body, this.#proof('challenge'))
  }

  ack (bytes) {
    const m = readMessage(bytes, 3)
    this.bodies.push(m.body)
    check(m.proof, this.#proof('proof'))
    this.bodies.push(new Uint8Array())
    return message(4, null, this.#proof('ack'))
  }

  #proof (label) {
    return proof(this.key, label, this.me.network.id, this.ids, this.bodies)
  }
}

function mark (network, nonce) {
  return sha256('parley/hello/network/1', network, nonce)
}

function keyOf (network, epoch) {
  const found = network.keys.find(k => k.epoch === epoch)
  if (found == null) throw new Refused('epoch')
  return found.key
}

// §5
function proof (key, label, network, ids, bodies) {
  const h = hmac.create(sha, key)
  for (const part of [new TextEncoder().encode(`parley/hello/1/${label}`), network, ...ids, ...bodies]) {
    h.update(u32(part.length)).update(part)
  }
  return h.digest()
}

function check (got, want) {
  if (got.length !== want.length || got.reduce((d, b, i) => d | b ^ want[i], 0) !== 0) throw new Refused('proof')
}

// §3. A message with a body that is empty leaves the field out.
function message (step, body, mac) {
  return new Writer().uint(1, step).bytes(2, body).bytes(3, mac).end()
}

function writeBody (me, rest) {
  const numbers = { 5: me.features, 6: me.role, 7: me.clock, ...rest }
  const w = new Writer().bytes(1, me.nonce)
  for (let f = 2; f <= 12; f++) {
    const v = numbers[f]
    if (v instanceof Uint8Array) w.bytes(f, v)
    else if (v != null) w.uint(f, v)
  }
  return w.end()
}

const messageShape = { 1: 'uint', 2: 'bytes', 3: 'bytes' }
const bodyShape = {
  1: 'bytes', 2: 'bytes', 3: 'uint', 4: 'uint', 5: 'uint', 6: 'uint', 7: 'uint', 8: 'bytes', 9: 'uint', 10: 'uint', 11: 'uint', 12: 'uint'
}

// §2: unknown fields are skipped, a known one twice or of another type is refused.
function read (bytes, shape) {
  const out = {}
  for (const f in shape) out[f] = shape[f] === 'uint' ? 0n : new Uint8Array()
  const seen = new Set()
  for (const { field, wire, value } of fields(bytes, false)) {
    if (shape[field] == null) continue
    if (seen.has(field) || wire !== (shape[field] === 'uint' ? 0 : 2)) throw new Refused('form', 'a known field')
    seen.add(field)
    out[field] = value
  }
  return out
}

function readMessage (bytes, step, own) {
  if (bytes.length > limit) throw new Refused('too_large')
  const m = read(bytes, messageShape)
  if (own != null && equal(m[2], own)) throw new Refused('reflected')
  if (m[1] !== BigInt(step)) throw new Refused('form', 'step')
  return { body: m[2], proof: m[3] }
}

function readBody (bytes) {
  const b = read(bytes, bodyShape)
  const epochs = []
  for (let at = 0, n; at < b[8].length;) {
    [n, at] = readVarint(b[8], at, false)
    epochs.push(Number(n))
  }
  if (b[1].length !== 32 || b[6] === 0n || b[7] === 0n || b[7] >> 48n !== 0n || epochs.length > 8) throw new Refused('form', 'body')
  return {
    nonce: b[1],
    mark: b[2],
    min: small(b[3]),
    max: small(b[4]),
    features: Number(b[5]),
    role: small(b[6]),
    clock: Number(b[7]),
    epochs,
    methods: small(b[9]),
    version: small(b[10]),
    epoch: Number(b[11]),
    method: small(b[12])
  }
}
