// A client: one key, one network, and the parts of the protocol on one host.

import { multiaddr } from '@multiformats/multiaddr'
import { Admission } from './admission.js'
import { hex, keyOf } from './bytes.js'
import * as dht from './dht.js'
import { Direct } from './direct.js'
import { Clock } from './events.js'
import { authorOf, makeHost, within } from './host.js'
import { Online } from './online.js'
import * as record from './record.js'
import { Rooms } from './rooms.js'

const dialTime = 10_000

export class Client {
  /** tell takes each thing that happens, as an object. */
  constructor ({ seed, network, nick, listen, transports, tell }) {
    Object.assign(this, { network, nick, listen, transports, tell, key: keyOf(seed), clock: new Clock() })
    this.admission = new Admission(network)
    this.rooms = new Rooms(this)
    this.online = new Online(this)
    this.direct = new Direct(this)
  }

  async start () {
    this.host = await makeHost({
      key: this.key,
      network: this.network,
      listen: this.listen,
      transports: this.transports,
      gate: service => this.admission.gate(service),
      validators: dht.validator(this.network),
      selectors: dht.selector(this.network)
    })
    this.admission.onAdmitted = peer => this.#admitted(peer)
    this.admission.onRefused = (peer, reason) => this.tell({ event: 'refused', peer: peer.toString(), reason })
    await this.admission.start(this.host)
    await this.admission.serve(this.network.protocol('network'), stream => record.serve(stream, this.signed))
    await this.rooms.start()
    await this.direct.start()
    await this.online.start()
    this.tell({ event: 'ready', peer: this.host.peerId.toString(), author: hex(this.key.public), addrs: this.host.getMultiaddrs().map(String) })
  }

  /** Dials an address that ends with /p2p/<peer ID>, and waits until its peer is admitted. */
  async dial (addr) {
    const { remotePeer } = await this.host.dial(multiaddr(addr), within(dialTime))
    if (!await this.admission.wait(remotePeer, dialTime)) throw new Error('not admitted')
    return remotePeer
  }

  /** A head or a room changed. */
  changed () {
    this.online.changed()
  }

  async stop () {
    await this.online.stop()
    this.rooms.stop()
    this.direct.stop()
    await this.host.stop()
  }

  #admitted (peer) {
    this.tell({ event: 'admitted', peer: peer.toString(), author: hex(authorOf(peer)) })
    this.online.greet(peer).catch(() => {})
    this.direct.met(peer)
    this.#askRecord(peer).catch(() => {})
  }

  // The network record with the highest sequence is kept as it came, and served on.
  async #askRecord (peer) {
    const stream = await this.admission.open(peer, this.network.protocol('network'))
    const told = await record.ask(stream, this.network.id)
    if (told.record == null || told.record.sequence <= (this.record?.sequence ?? 0n)) return
    this.record = told.record
    this.signed = told.signed
    this.tell({ event: 'network', name: this.record.name, sequence: Number(this.record.sequence) })
  }
}
