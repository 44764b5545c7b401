// Discovery on a LAN: 01-network §7. What a packet of multicast DNS tells; hearing and sending packets is not here.

import { multiaddr } from '@multiformats/multiaddr'
import { utf8 } from './bytes.js'
import { Refused } from './proto.js'

const maxPacket = 9000
const maxRecords = 64
const maxTexts = 16
const types = { ptr: 12, txt: 16 }

/** §7.1 */
export const serviceOf = tag => `_parley-${tag}._udp.local`

/** The peers that a response tells of: { peer, addrs, goodbye }, those of instances of the service alone. */
export function readAnnouncement (packet, tag) {
  if (packet.length > maxPacket) throw new Refused('form', 'size of a packet')
  const r = new Packet(packet)
  const peers = []
  for (const { name, type, ttl, data } of r.records()) {
    const [instance, ...service] = name
    if (type !== types.txt || instance == null || service.join('.').toLowerCase() !== serviceOf(tag)) continue
    const told = readTexts(data)
    if (told != null) peers.push({ ...told, goodbye: ttl === 0 })
  }
  return peers
}

// §7.4: all strings of a record name the peer of the first good one.
function readTexts (data) {
  const told = { peer: null, addrs: [] }
  for (let at = 0, n = 0; at < data.length && n < maxTexts; n++, at += 1 + data[at]) {
    const text = utf8(data.subarray(at + 1, at + 1 + data[at])) ?? ''
    const [, addr, peer] = /^dnsaddr=(\/.+)\/p2p\/(\w+)$/.exec(text) ?? []
    if (addr == null || !believed(addr) || !/^12D3Koo/.test(peer)) continue // a key of Ed25519 in the peer ID begins so
    told.peer ??= peer
    if (told.peer === peer) told.addrs.push(addr)
  }
  return told.peer == null ? null : told
}

// Plain TCP or QUIC v1 with a port; that the address lies in a network of the interface is left to who dials.
function believed (addr) {
  try {
    return /^ip[46] (tcp|udp quic-v1)$/.test(multiaddr(addr).getComponents().map(c => c.name).join(' ')) && !/\/0(\/|$)/.test(addr)
  } catch {
    return false
  }
}

/** A packet of DNS, RFC 1035 §4. */
class Packet {
  at = 0

  constructor (bytes) {
    this.bytes = bytes
  }

  * records () {
    const [, flags, questions, ...counts] = Array.from({ length: 6 }, () => this.uint(2))
    const all = counts.reduce((a, b) => a + b)
    if ((flags & 0x8000) === 0) return // a question
    if (questions + all > maxRecords) throw new Refused('form', 'records of a packet')
    for (let i = 0; i < questions; i++) {
      this.name()
      this.take(4)
    }
    for (let i = 0; i < all; i++) {
      const name = this.name()
      const [type, , ttl] = [this.uint(2), this.uint(2), this.uint(4)]
      yield { name, type, ttl, data: this.take(this.uint(2)) }
    }
  }

  take (n) {
    if (n > this.bytes.length - this.at) throw new Refused('form', 'cut short')
    this.at += n
    return this.bytes.subarray(this.at - n, this.at)
  }

  uint (n) {
    return this.take(n).reduce((sum, b) => sum * 256 + b, 0)
  }

  /** The labels of a name; what a pointer leads to lies before it, so it ends. */
  name () {
    const labels = []
    let end = null
    for (let before = this.at; ;) {
      const [size] = this.take(1)
      if (size === 0) break
      if (size < 64) {
        labels.push(utf8(this.take(size)) ?? '')
        continue
      }
      const to = (size & 0x3f) << 8 | this.uint(1)
      if (size < 192 || to >= before) throw new Refused('form', 'pointer in a name')
      end ??= this.at
      this.at = before = to
    }
    if (end != null) this.at = end
    return labels
  }
}
