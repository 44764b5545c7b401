// The table of nodes and rooms: 09-dht.

import { CID } from 'multiformats/cid'
import { create as digest } from 'multiformats/hashes/digest'
import { multiaddr } from '@multiformats/multiaddr'
import { ascii, equal, hex, join, sha256, utf8, verify } from './bytes.js'
import { loose, Refused, Writer } from './proto.js'

const maxRecord = 4096
const ahead = 5 * 60_000
const maxLife = 48n * 3_600_000n
const latest = 1n << 48n

export const recordKey = author => ascii(`/peer/${hex(author)}`)

/** §3. addrs are multiaddrs without /p2p. */
export function writeRecord (key, network, r) {
  const w = new Writer().bytes(1, key.public).uint(2, r.made).uint(3, r.expiry)
    .bytes(4, new TextEncoder().encode(r.nick ?? '')).bytes(5, new TextEncoder().encode(r.zone ?? ''))
  for (const a of r.addrs) w.always(6, a.bytes)
  const body = w.bytes(7, ascii(r.version ?? '')).end()
  return new Writer().bytes(1, body).bytes(2, key.sign(join('parley/peer/1', network, body))).end()
}

/** Reads the record that lies under a key and is good at a time, in Unix milliseconds. */
export function readRecord (key, bytes, network, now = Date.now()) {
  if (bytes.length > maxRecord) throw new Refused('form', 'size of a record')
  const envelope = loose(bytes, { 1: 'bytes', 2: 'bytes' })
  const f = loose(envelope[1], { 1: 'bytes', 2: 'uint', 3: 'uint', 4: 'bytes', 5: 'bytes', 6: 'list', 7: 'bytes' })
  const [made, expiry] = [min(f[2], latest), min(f[3], latest)]
  const ok = f[1].length === 32 && f[6].length <= 16 && f[6].every(a => a.length <= 256) && f[4].length <= 256 &&
    f[5].length <= 64 && f[7].length <= 64 && [f[4], f[5], f[7]].every(t => utf8(t) != null)
  if (!ok || expiry < made || expiry > made + maxLife) throw new Refused('form', 'record')
  if (!equal(recordKey(f[1]), key)) throw new Refused('form', 'key of a record')
  if (!verify(f[1], join('parley/peer/1', network, envelope[1]), envelope[2])) throw new Refused('signature')
  if (made > BigInt(now + ahead) || expiry < BigInt(now)) throw new Refused('time')
  return {
    author: f[1],
    made: Number(made),
    expiry: Number(expiry),
    nick: utf8(f[4]),
    zone: utf8(f[5]),
    addrs: f[6].map(a => multiaddr(a)),
    version: utf8(f[7])
  }
}

const min = (a, b) => a < b ? a : b

/** What Kademlia asks of the namespace peer. */
export const validator = network => async (key, value) => { readRecord(key, value, network.id) }

export const selector = network => (key, values) => {
  const made = values.map(v => {
    try {
      return readRecord(key, v, network.id).made
    } catch {
      return -1
    }
  })
  return made.indexOf(Math.max(...made))
}

/** §4 */
export const roomCid = log => CID.createV1(0x55, digest(0x12, sha256('parley/rendezvous/1', log)))

/** §5, as 16 hex digits; peer is a peer ID in binary form. */
export function shortAddress (zone, peer) {
  return hex(join(sha256(new TextEncoder().encode(zone)).subarray(0, 4), sha256(peer).subarray(0, 4)))
}

/** Looks a node's record up; the one made last, or null. */
export async function find (host, network, author, signal) {
  let best = null
  for await (const e of host.services.dht.get(recordKey(author), { signal })) {
    if (e.name !== 'VALUE') continue
    const r = readRecord(recordKey(author), e.value, network.id)
    if (best == null || r.made > best.made) best = r
  }
  return best
}

/** Peer IDs of those who provide a room. */
export async function providers (host, log, signal) {
  const found = new Map()
  for await (const e of host.services.dht.findProviders(roomCid(log), { signal })) {
    if (e.name !== 'PROVIDER') continue
    for (const p of e.providers) found.set(p.id.toString(), p.id)
  }
  return [...found.values()]
}

/** Puts our record and provides rooms. */
export async function publish (host, network, key, nick, logs, signal) {
  const made = Date.now()
  const addrs = host.getMultiaddrs().map(a => a.decapsulate('/p2p')).slice(0, 16)
  const record = writeRecord(key, network.id, { made, expiry: made + 24 * 3_600_000, nick, addrs, version: 'interop' })
  for await (const _ of host.services.dht.put(recordKey(key.public), record, { signal })) void _
  for (const log of logs) {
    for await (const _ of host.services.dht.provide(roomCid(log), { signal })) void _
  }
}
