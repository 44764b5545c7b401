// Telling and hearing signals: 05-presence §1, §3, §4.

import { equal, hex } from './bytes.js'
import { frames, peerOf } from './host.js'
import { readSignal, writeSignal } from './presence.js'
import { Refused } from './proto.js'

const maxSignal = 16_384
const each = 5000
const afterChange = 1000
const apart = 1500
const ahead = 5 * 60_000
const behind = 10 * 60_000

/** Who is online, and telling that we are. */
export class Online {
  constructor (client) {
    this.client = client
    this.authors = new Map() // hex author to { signal, heard }
    this.seq = BigInt(Date.now())
    this.last = 0
  }

  async start () {
    const { admission, network, host } = this.client
    this.topic = network.topic('presence')
    await admission.serve(network.protocol('signal'), async stream => {
      this.#hear(await frames(stream, maxSignal).read(10_000), false)
    })
    const { pubsub } = host.services
    pubsub.topicValidators.set(this.topic, (peer, message) => this.#gossiped(peer, message.data))
    pubsub.subscribe(this.topic)
    this.#schedule(0)
  }

  /** Says goodbye to everyone. */
  async stop () {
    clearTimeout(this.timer)
    const bytes = this.#signal(true)
    await this.client.host.services.pubsub.publish(this.topic, bytes).catch(() => {})
    const peers = [...this.client.admission.peers.values()].slice(0, 8)
    await Promise.all(peers.map(peer => this.#hand(peer, bytes, 500).catch(() => {})))
  }

  /** Hands our signal to a peer, which is done at its admission. */
  greet (peer) {
    return this.#hand(peer, this.#signal(false), each)
  }

  /** A room or a head changed: tell it soon. */
  changed () {
    if (this.soon) return
    this.soon = true
    this.#schedule(Math.max(afterChange, this.last + apart - Date.now()))
  }

  /** Authors that are online now. */
  list () {
    const now = Date.now()
    return [...this.authors.values()].filter(a => !a.signal.goodbye && now < a.heard + 3 * a.signal.interval).map(a => a.signal)
  }

  #schedule (ms) {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.soon = false
      this.last = Date.now()
      this.client.host.services.pubsub.publish(this.topic, this.#signal(false)).catch(() => {})
      this.#schedule(this.#interval())
    }, ms)
  }

  #interval () {
    return Math.min(Math.max(each, (this.list().length + 1) * 200), 300_000)
  }

  #signal (goodbye) {
    const { key, network, nick, rooms } = this.client
    const list = [...rooms.rooms.values()].slice(0, 64)
    return writeSignal(key, network.id, {
      time: Date.now(),
      seq: ++this.seq,
      interval: this.#interval(),
      nick,
      goodbye,
      total: rooms.rooms.size,
      rooms: list.map(({ name, log }) => ({
        name, seq: log.last(key.public)?.seq ?? 0n, complete: log.complete, heads: log.heads().slice(0, 8).map(e => e.id)
      }))
    })
  }

  async #hand (peer, bytes, ms) {
    const stream = await this.client.admission.open(peer, this.client.network.protocol('signal'))
    const f = frames(stream, 0)
    await f.write(bytes, ms)
    await stream.close()
    await f.read(ms).catch(() => {}) // the other side closes when it has read
  }

  #gossiped (peer, bytes) {
    try {
      if (!this.client.admission.has(peer)) return 'ignore'
      return this.#hear(bytes, true) ? 'accept' : 'ignore'
    } catch (err) {
      if (err instanceof Refused) return 'reject'
      throw err
    }
  }

  // §4: does a signal count?
  #hear (bytes, gossip) {
    const signal = readSignal(bytes, this.client.network.id)
    const known = this.authors.get(hex(signal.author))
    const now = Date.now()
    if (known != null && signal.seq <= known.signal.seq) return false
    if (signal.time > now + ahead || (gossip && signal.time < now - behind)) return false
    if (equal(signal.author, this.client.key.public)) return false
    this.authors.set(hex(signal.author), { signal, heard: now })
    if (known == null || known.signal.goodbye !== signal.goodbye) {
      this.client.tell({ event: signal.goodbye ? 'left' : 'online', author: hex(signal.author), nick: signal.nick })
    }
    this.#compareHeads(signal)
    return true
  }

  #compareHeads (signal) {
    const peer = peerOf(signal.author)
    if (!this.client.admission.has(peer)) return
    for (const r of signal.rooms) {
      const room = this.client.rooms.find(r.name)
      if (room != null && r.heads.some(id => !room.log.has(id))) this.client.rooms.want(room, peer, r.heads)
    }
  }
}
