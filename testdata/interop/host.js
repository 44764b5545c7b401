// The libp2p host: 01-network §4.1, 04-delivery §1, 09-dht §1. Nothing here speaks Parley yet.

import { privateKeyFromRaw, publicKeyFromRaw } from '@libp2p/crypto/keys'
import { gossipsub } from '@libp2p/gossipsub'
import { identify, identifyPush } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { join } from './bytes.js'

// libp2p 3 is made for Node 22.
Promise.withResolvers ??= function () {
  const out = {}
  out.promise = new Promise((resolve, reject) => Object.assign(out, { resolve, reject }))
  return out
}

/**
 * Makes a host of an author's key. transports are options of libp2p that differ between Node.js and a page. gate holds streams of GossipSub and Kademlia back until their peer is
 * admitted; validators and selectors are those of 09-dht §3.
 */
export function makeHost ({ key, network, listen, transports, gate, validators, selectors }) {
  const privateKey = privateKeyFromRaw(join(key.seed, key.public))
  return createLibp2p({
    privateKey,
    addresses: { listen },
    ...transports,
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      identifyPush: identifyPush(), // tells who begins to serve the table
      // Kademlia pings who it takes up; one stream at a time would lose some.
      ping: ping({ maxOutboundStreams: 16 }),
      pubsub: gate(oneMessageAnRpc(gossipsub({
        globalSignaturePolicy: 'StrictNoSign', // so the id of a message is the SHA-256 of its data
        fallbackToFloodsub: false,
        allowPublishToZeroTopicPeers: true, // gossip may reach nobody; nothing depends on it
        D: 3,
        Dlo: 2,
        Dhi: 4
      }))),
      dht: gate(kadDHT({
        protocol: network.protocol('kad'),
        clientMode: true,
        peerInfoMapper: passthroughMapper, // private addresses are what there is
        validators: { peer: validators },
        selectors: { peer: selectors }
      }))
    }
  })
}

// An RPC has at most 256 KiB (04-delivery §1), and GossipSub here would answer a request for many messages with one
// RPC of any size, whose reset would end gossip with that peer. So each message has an RPC of its own.
function oneMessageAnRpc (service) {
  return components => {
    const pubsub = service(components)
    const send = pubsub.sendRpc.bind(pubsub)
    pubsub.sendRpc = (id, rpc) => {
      const [first, ...rest] = rpc.messages ?? []
      if (rest.length === 0) return send(id, rpc)
      return [{ ...rpc, messages: [first] }, ...rest.map(m => ({ subscriptions: [], messages: [m] }))].every(r => send(id, r))
    }
    return pubsub
  }
}

/** The author that a peer ID names; null if it holds another type of key. */
export function authorOf (peer) {
  return peer.type === 'Ed25519' ? peer.publicKey.raw : null
}

export const peerOf = author => peerIdFromPublicKey(publicKeyFromRaw(author))

/** The peer ID in binary form, 38 bytes. */
export const binaryId = peer => peer.toMultihash().bytes

/** Frames on a stream (§4): read(ms) gives the next as bytes, of at most max. */
export function frames (stream, max) {
  const lp = lpStream(stream, { maxDataLength: max })
  return {
    read: async ms => (await lp.read(within(ms))).subarray(),
    write: (bytes, ms) => lp.write(bytes, within(ms)),
    unwrap: () => lp.unwrap() // the stream, for frames of another limit
  }
}

export const within = ms => ms == null ? {} : { signal: AbortSignal.timeout(ms) }
