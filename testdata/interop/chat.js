// One direct chat: 07-direct §1, §4 and §5. Frames, and what is acknowledged.

import { readPayload, seal, writePayload } from './batch.js'
import { compare, equal, hex, join, readU64, u64 } from './bytes.js'
import { directLog, kinds, show, writeText } from './events.js'
import { frames } from './host.js'
import { Log } from './log.js'
import { Refused } from './proto.js'

const maxFrame = 131_073
const types = { positions: 1, events: 2, ack: 3, signal: 4 }
const readSignal = 1
const nowhere = { seq: 0n, id: new Uint8Array(32) }

const writePlace = p => join(u64(p.seq), p.id)

function readPlace (b) {
  const p = { seq: readU64(b), id: b.slice(8, 40) }
  if ((p.seq === 0n) !== equal(p.id, nowhere.id)) throw new Refused('form', 'place')
  return p
}

export function readFrame (bytes) {
  const [type, body] = [bytes[0], bytes.slice(1)]
  const need = ok => { if (!ok) throw new Refused('form', 'frame') }
  need(bytes.length <= maxFrame && body.length > 0)
  if (type === types.positions) {
    need(body.length === 120)
    return { type, places: [0, 40, 80].map(at => readPlace(body.slice(at, at + 40))) }
  }
  if (type === types.events) return { type, payload: body }
  if (type === types.ack) {
    need(body.length === 72)
    const place = readPlace(body.slice(32))
    need(place.seq > 0n)
    return { type, author: body.slice(0, 32), place }
  }
  need(type === types.signal && body.length <= 1025)
  if (body[0] !== readSignal) return { type, kind: body[0] }
  need(body.length === 41)
  const place = readPlace(body.slice(1))
  need(place.seq > 0n)
  return { type, kind: readSignal, place }
}

export class Chat {
  /** fetch(ids) gives batches of this log from the other side. */
  constructor (client, other, fetch) {
    Object.assign(this, { client, other, fetch })
    this.log = new Log(directLog(client.network.id, client.key.public, other))
    this.delivered = 0n // own events up to this seq are acknowledged
    this.shown = nowhere // how far our person has read
    this.queue = [] // of frames to be written, while a stream runs
  }

  history () {
    return { complete: this.log.complete, events: this.log.history().map(show) }
  }

  /** Stores texts as one batch, and sends it if a stream runs. */
  write (texts) {
    const { key, clock } = this.client
    const previous = this.log.last(key.public)
    const heads = this.log.heads().map(e => e.id).filter(id => previous == null || !equal(id, previous.id))
    const drafts = texts.map(t => ({ kind: kinds.message, payload: writeText(t), hlc: clock.now() }))
    const batch = seal(key, this.log.id, previous, heads, drafts)
    this.#take(batch)
    this.#send?.(types.events, writePayload(batch))
    return batch.events
  }

  async read () {
    const last = this.log.last(this.other)
    if (last == null) return
    this.shown = last
    this.#send?.(types.signal, Uint8Array.of(readSignal), writePlace(last))
  }

  #send = null // writes a frame; only while a stream runs and both positions were told

  /** Runs a stream of this chat until it ends; current tells whether it is still the one that stays. */
  async run (stream, current) {
    const f = frames(stream, maxFrame)
    const write = (type, ...body) => f.write(join(Uint8Array.of(type), ...body))
    const [lower, higher] = [this.client.key.public, this.other].sort(compare)
    await write(types.positions, ...[this.#held(lower), this.#held(higher), this.shown].map(writePlace))
    const first = readFrame(await f.read())
    if (first.type !== types.positions) throw new Refused('form', 'no positions')
    const send = (...frame) => { write(...frame).catch(() => {}) } // a failure ends the reading too
    this.#send = send
    try {
      this.#theyHold(first.places[compare(this.client.key.public, this.other) < 0 ? 0 : 1])
      this.#theyRead(first.places[2])
      for (const batch of this.#unacknowledged()) send(types.events, writePayload(batch))
      while (current()) this.#frame(readFrame(await f.read()), send)
    } finally {
      if (this.#send === send) this.#send = null
    }
  }

  #frame (frame, send) {
    if (frame.type === types.positions) throw new Refused('form', 'positions again')
    if (frame.type === types.ack) {
      if (!equal(frame.author, this.client.key.public)) throw new Refused('form', "an ack of another's event")
      this.#theyHold(frame.place)
    } else if (frame.type === types.events) {
      this.#events(frame.payload, send)
    } else if (frame.kind === readSignal) {
      this.#theyRead(frame.place)
    }
  }

  #events (payload, send) {
    let batch
    try {
      batch = readPayload(payload)
    } catch (err) {
      if (err.reason === 'version') return
      throw err
    }
    const ours = e => equal(e.log, this.log.id) && e.keyEpoch === 0n && [this.client.key.public, this.other].some(a => equal(a, e.author))
    if (!batch.events.every(ours)) throw new Refused('log')
    this.#take(batch)
    const acknowledge = () => {
      const held = this.#held(this.other)
      if (held.seq > 0n) send(types.ack, this.other, writePlace(held))
    }
    if (this.log.complete) return acknowledge()
    this.fetch([...this.log.missing.values()]).then(batches => {
      for (const b of batches) this.#take(b)
      acknowledge()
    }).catch(() => {})
  }

  #take (batch) {
    for (const e of this.log.add(batch)) {
      this.client.clock.saw(e.hlc)
      this.client.tell({ event: 'direct', with: hex(this.other), ...show(e) })
    }
  }

  // How far an author's chain is held without a gap.
  #held (author) {
    let place = nowhere
    for (const e of this.#chain(author)) {
      if (e.seq !== place.seq + 1n) break
      place = e
    }
    return place
  }

  #chain (author) {
    return [...this.log.events.values()].map(e => e.event).filter(e => equal(e.author, author)).sort((a, b) => Number(a.seq - b.seq))
  }

  #theyHold (place) {
    if (!this.log.has(place.id)) return
    for (const e of this.#chain(this.client.key.public)) {
      if (e.seq > this.delivered && e.seq <= place.seq) this.client.tell({ event: 'delivered', id: hex(e.id) })
    }
    if (place.seq > this.delivered) this.delivered = place.seq
  }

  #theyRead (place) {
    if (this.log.has(place.id)) this.client.tell({ event: 'read', id: hex(place.id) })
  }

  #unacknowledged () {
    const batches = new Set()
    for (const e of this.#chain(this.client.key.public)) {
      if (e.seq > this.delivered) batches.add(this.log.events.get(hex(e.id)).batch)
    }
    return batches
  }
}
