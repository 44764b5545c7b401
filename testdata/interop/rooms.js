// Public rooms: 04-delivery. Gossip, comparing and fetching bring events; sending makes them.

import { readPayload, seal, writePayload } from './batch.js'
import { equal, hex } from './bytes.js'
import { kinds, millis, roomLog, show, writeProfile, writeText } from './events.js'
import * as fetch from './fetch.js'
import { Log } from './log.js'
import { roomKey } from './network.js'
import { Refused } from './proto.js'
import * as sync from './sync.js'

const ahead = 5n * 60_000n // 04-delivery §5
const settle = 250 // before what seems to be missing is asked for
const often = 30_000 // a log is compared with somebody
const wanted = 64
const maxEvents = 256

/** The rooms of a client: { host, admission, network, key, clock, tell, changed }. */
export class Rooms {
  constructor (client) {
    this.client = client
    this.rooms = new Map() // comparison key to room
  }

  async start () {
    const { host, admission, network } = this.client
    await admission.serve(network.protocol('fetch'), stream => fetch.serve(stream, id => this.#log(id)))
    await admission.serve(network.protocol('sync'), stream => sync.serve(stream, id => this.#log(id)))
    host.services.pubsub.addEventListener('subscription-change', ({ detail }) => this.#subscribed(detail))
    this.timer = setInterval(() => this.#compareWithSomebody(), often)
  }

  stop () {
    clearInterval(this.timer)
  }

  /** Joins a room, or gives the one that was joined. Who joins writes a profile. */
  async join (name) {
    const key = roomKey(name)
    if (key == null) throw new Refused('form', 'name of a room')
    if (this.rooms.has(key)) return this.rooms.get(key)
    const { host, network } = this.client
    const id = roomLog(network.id, key)
    const room = { name, key, log: new Log(id), topic: network.topic(hex(id)), busy: Promise.resolve() }
    this.rooms.set(key, room)
    const { pubsub } = host.services
    pubsub.topicValidators.set(room.topic, (peer, message) => this.#verdict(room, peer, message.data))
    pubsub.subscribe(room.topic)
    for (const peer of pubsub.getSubscribers(room.topic)) this.compare(room, peer)
    return room
  }

  find (name) {
    return this.rooms.get(roomKey(name))
  }

  get (name) {
    const room = this.find(name)
    if (room == null) throw new Error('not in this room')
    return room
  }

  profile (room) {
    return this.send(room, [{ kind: kinds.profile, payload: writeProfile(this.client.nick) }])
  }

  texts (room, texts) {
    return this.send(room, texts.map(t => ({ kind: kinds.message, payload: writeText(t) })))
  }

  /** Signs drafts together, stores and publishes them; returns the events. */
  async send (room, drafts) {
    if (drafts.length > maxEvents) throw new Refused('too_large', 'batch')
    const { key, clock, host } = this.client
    const previous = room.log.last(key.public)
    const heads = room.log.heads().map(e => e.id).filter(id => previous == null || !equal(id, previous.id))
    const batch = seal(key, room.log.id, previous, heads, drafts.map(d => ({ ...d, hlc: clock.now() })))
    this.#take(room, batch)
    await host.services.pubsub.publish(room.topic, writePayload(batch))
    return batch.events
  }

  /** Compares a room with a peer and fetches what is missing; one session of a room at a time. */
  compare (room, peer) {
    const run = room.busy.then(() => this.#compare(room, peer))
    room.busy = run.catch(err => this.client.tell({ event: 'sync-failed', room: room.name, why: err.message }))
    return run
  }

  async #compare (room, peer) {
    const { admission, network } = this.client
    const stream = await admission.open(peer, network.protocol('sync'))
    let found
    try {
      found = await sync.compareOver(stream, room.log)
    } catch (err) {
      stream.abort(err)
      throw err
    }
    const got = await this.fetch(room, peer, found.need)
    return { equal: found.equal, got }
  }

  /** Fetches ids from a peer, as far as it has them; returns how many events came. */
  async fetch (room, peer, ids) {
    const { admission, network } = this.client
    let got = 0
    for (let rest = ids; rest.length > 0;) {
      const want = rest.slice(0, wanted)
      const stream = await admission.open(peer, network.protocol('fetch'))
      const batches = await fetch.ask(stream, room.log.id, want).catch(err => { stream.abort(err); throw err })
      await stream.close()
      for (const b of batches) got += this.#take(room, b).length
      const left = rest.filter(id => !room.log.has(id))
      rest = left.length < rest.length ? left : rest.slice(want.length) // what nobody has is passed over
    }
    return got
  }

  /** Fetches from a peer what it tells of and is not here, after a moment: most of it is under way. */
  want (room, peer, ids) {
    setTimeout(() => {
      const lacking = ids.filter(id => !room.log.has(id))
      if (lacking.length > 0) this.fetch(room, peer, lacking).catch(() => {})
    }, settle)
  }

  // 04-delivery §4
  #verdict (room, peer, data) {
    try {
      if (!this.client.admission.has(peer)) return 'ignore'
      const batch = readPayload(data)
      if (batch.events.some(e => !equal(e.log, room.log.id))) throw new Refused('log')
      if (batch.events.some(e => e.keyEpoch !== 0n)) throw new Refused('epoch')
      if (batch.events.some(e => millis(e.hlc) > BigInt(Date.now()) + ahead)) return 'ignore'
      if (this.#take(room, batch, peer).length === 0) return 'ignore'
      return 'accept'
    } catch (err) {
      if (!(err instanceof Refused)) throw err
      this.client.tell({ event: 'rejected', room: room.name, reason: err.reason })
      return err.reason === 'version' ? 'ignore' : 'reject'
    }
  }

  #take (room, batch, peer) {
    const fresh = room.log.add(batch)
    for (const e of fresh) {
      this.client.clock.saw(e.hlc)
      this.client.tell({ event: 'message', room: room.name, ...show(e) })
    }
    if (fresh.length > 0) this.client.changed()
    if (peer != null && !room.log.complete) this.want(room, peer, [...room.log.missing.values()])
    return fresh
  }

  #log (id) {
    for (const room of this.rooms.values()) if (equal(room.log.id, id)) return room.log
    return null
  }

  #subscribed ({ peerId, subscriptions }) {
    for (const { topic, subscribe } of subscriptions) {
      const room = [...this.rooms.values()].find(r => r.topic === topic)
      if (subscribe && room != null) this.compare(room, peerId).catch(() => {})
    }
  }

  #compareWithSomebody () {
    for (const room of this.rooms.values()) {
      const peers = this.client.host.services.pubsub.getSubscribers(room.topic)
      if (peers.length > 0) this.compare(room, peers[Math.floor(Math.random() * peers.length)]).catch(() => {})
    }
  }
}
