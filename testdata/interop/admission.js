// Who is admitted: 02-hello over streams, and streams that wait for it (01-network §4.2).

import { authorOf, binaryId, frames, within } from './host.js'
import { Initiator, Responder, side } from './hello.js'
import { Refused } from './proto.js'

const limit = 1024
const handshakeTime = 10_000
const streamWaits = 5000
const pauses = [250, 500, 1000, 2000, 4000]

/** The peers that proved membership. onAdmitted is called with each peer ID that becomes admitted. */
export class Admission {
  constructor (network) {
    this.network = network
    this.peers = new Map() // admitted: peer ID as text to peer ID
    this.waiting = new Map() // peer ID as text to { promise, resolve }
    this.onAdmitted = () => {}
    this.onRefused = () => {}
  }

  /** Begins to answer handshakes, and to begin them with whoever is connected. */
  async start (host) {
    this.host = host
    await host.handle(this.network.protocol('hello'), (stream, connection) => this.#answer(stream, connection))
    host.addEventListener('connection:open', ({ detail: c }) => {
      setTimeout(() => this.#begin(c, 0), c.direction === 'outbound' ? 0 : 300)
    })
    host.addEventListener('connection:close', ({ detail: c }) => this.#gone(c.remotePeer))
  }

  has (peer) {
    return this.peers.has(peer.toString())
  }

  /** Waits until a peer is admitted; false if it is refused, or not admitted in time. */
  async wait (peer, ms = streamWaits) {
    if (this.has(peer)) return true
    const id = peer.toString()
    if (!this.waiting.has(id)) this.waiting.set(id, Promise.withResolvers())
    let timer
    const late = new Promise(resolve => { timer = setTimeout(resolve, ms, false) })
    const ok = await Promise.race([this.waiting.get(id).promise, late])
    clearTimeout(timer)
    return ok
  }

  /** Serves a protocol to admitted peers: handler(stream, peer). Whatever it throws resets the stream. */
  serve (protocol, handler) {
    return this.host.handle(protocol, (stream, connection) => this.#serve(stream, connection, handler))
  }

  async #serve (stream, connection, handler) {
    try {
      if (!await this.wait(connection.remotePeer)) throw new Refused('strangers')
      await handler(stream, connection.remotePeer)
      await stream.close(within(streamWaits))
    } catch (err) {
      stream.abort(err)
    }
  }

  /** Opens a stream to an admitted peer. */
  async open (peer, protocol) {
    if (!await this.wait(peer)) throw new Refused('strangers')
    return this.host.dialProtocol(peer, protocol, within(streamWaits))
  }

  /** Makes a libp2p service that sees admitted peers alone. */
  gate (service) {
    return components => service(new Proxy(components, {
      get: (target, name) => name === 'registrar' ? this.#registrar(target.registrar) : target[name]
    }))
  }

  #registrar (registrar) {
    const wait = peer => this.wait(peer, 30_000)
    return new Proxy(registrar, {
      get: (target, name) => {
        if (name === 'handle') {
          return (protocol, handler, options) => target.handle(protocol, async (stream, connection) => {
            if (await this.wait(connection.remotePeer)) handler(stream, connection)
            else stream.abort(new Refused('strangers'))
          }, options)
        }
        if (name === 'register') {
          return (protocol, topology, options) => target.register(protocol, {
            ...topology,
            onConnect: async (peer, c) => { if (await wait(peer)) topology.onConnect?.(peer, c) },
            onDisconnect: peer => topology.onDisconnect?.(peer)
          }, options)
        }
        const value = target[name]
        return typeof value === 'function' ? value.bind(target) : value
      }
    })
  }

  async #begin (connection, failures) {
    if (this.has(connection.remotePeer) || connection.status !== 'open') return
    let stream
    try {
      if (authorOf(connection.remotePeer) == null) throw new Refused('form', 'type of key')
      stream = await connection.newStream(this.network.protocol('hello'), within(handshakeTime))
      await this.#initiate(stream, connection.remotePeer)
    } catch (err) {
      stream?.abort(err)
      this.#failed(connection, err, failures)
    }
  }

  async #initiate (stream, peer) {
    const f = frames(stream, limit)
    const me = side(binaryId(this.host.peerId), this.network)
    const hand = new Initiator(me, binaryId(peer))
    await f.write(hand.hello())
    await f.write(hand.challenge(await f.read(handshakeTime)))
    hand.ack(await f.read(handshakeTime))
    this.#admit(peer)
    await stream.close(within(1000)).catch(() => {})
  }

  async #answer (stream, connection) {
    const peer = connection.remotePeer
    try {
      if (authorOf(peer) == null) throw new Refused('form', 'type of key')
      const f = frames(stream, limit)
      const hand = new Responder(side(binaryId(this.host.peerId), this.network), binaryId(peer))
      await f.write(hand.challenge(await f.read(handshakeTime)))
      const ack = hand.ack(await f.read(handshakeTime))
      this.#admit(peer)
      await f.write(ack)
      await stream.close(within(1000)).catch(() => {})
    } catch (err) {
      stream.abort(err)
      if (err instanceof Refused) this.onRefused(peer, err.reason)
    }
  }

  // §6.1
  #failed (connection, err, failures) {
    const known = err instanceof Refused || err.name === 'UnsupportedProtocolError'
    if (known && !this.has(connection.remotePeer)) {
      this.onRefused(connection.remotePeer, err.reason ?? 'no hello')
      this.#settle(connection.remotePeer, false)
      this.host.hangUp(connection.remotePeer).catch(() => {})
      return
    }
    if (failures === 0) this.onRefused(connection.remotePeer, 'half_open')
    setTimeout(() => this.#begin(connection, failures + 1), pauses[Math.min(failures, pauses.length - 1)]).unref?.()
  }

  #admit (peer) {
    const id = peer.toString()
    if (this.peers.has(id)) return
    this.peers.set(id, peer)
    this.#settle(peer, true)
    this.onAdmitted(peer)
  }

  #settle (peer, admitted) {
    this.waiting.get(peer.toString())?.resolve(admitted)
    this.waiting.delete(peer.toString())
  }

  // An admission ends with the first connection that ends.
  #gone (peer) {
    if (this.peers.delete(peer.toString())) this.host.hangUp(peer).catch(() => {})
  }
}
