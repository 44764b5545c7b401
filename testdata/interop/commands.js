// What a client can be told to do: { "do": WHAT, … } is answered by { "done": WHAT, … } or { "failed": WHAT, "why": … }.

import { hex, random, unhex } from './bytes.js'
import { Client } from './client.js'
import * as dht from './dht.js'
import { show } from './events.js'
import { peerOf, within } from './host.js'
import { openNetwork, readInvite } from './network.js'

/** Starts a client as flags say: network or invite, nick, listen. tell takes all that happens and is answered. */
export async function startClient (flags, transports, tell) {
  const client = new Client({
    seed: random(32), // nothing is kept over a restart: under the same key that would be a fork (03-events §3.4)
    network: flags.invite == null ? openNetwork(flags.network ?? 'lan') : readInvite(flags.invite).network,
    nick: flags.nick,
    listen: flags.listen,
    transports,
    tell
  })
  await client.start()
  return client
}

/** Does one command of a client. */
export async function run (client, c) {
  try {
    if (!Object.hasOwn(commands, c.do)) throw new Error('no such command')
    client.tell({ done: c.do, ...await commands[c.do](client, c) })
  } catch (err) {
    client.tell({ failed: c.do, why: `${err.name}: ${err.message}` })
  }
}

const commands = {
  dial: async (client, c) => ({ peer: String(await client.dial(c.addr)) }),

  // The transports over which a peer is connected, as their addresses show them.
  connections: (client, c) => ({ addrs: client.host.getConnections().filter(x => String(x.remotePeer) === c.peer).map(x => String(x.remoteAddr)) }),

  join: async ({ rooms }, c) => {
    const room = await rooms.join(c.room)
    await room.busy
    const [profile] = await rooms.profile(room)
    return { log: hex(room.log.id), profile: hex(profile.id) }
  },

  // Reads without being a member.
  follow: async ({ rooms }, c) => ({ log: hex((await rooms.join(c.room)).log.id) }),

  // Compares with one peer until both are equal.
  compare: async ({ rooms }, c) => {
    const room = rooms.get(c.room)
    const peer = peerOf(unhex(c.author))
    let got = 0
    for (let rounds = 1; ; rounds++) {
      const found = await rooms.compare(room, peer)
      got += found.got
      if (found.equal || rounds === 10) return { equal: found.equal, got, rounds }
    }
  },

  send: async ({ rooms }, c) => ({ ids: (await rooms.texts(rooms.get(c.room), c.texts)).map(e => hex(e.id)) }),
  history: ({ rooms }, c) => ({ complete: rooms.get(c.room).log.complete, events: rooms.get(c.room).log.history().map(show) }),
  online: ({ online }) => ({ authors: online.list().map(s => ({ author: hex(s.author), nick: s.nick, rooms: s.rooms.map(r => r.name) })) }),
  direct: async ({ direct }, c) => ({ ids: await direct.send(unhex(c.author), c.texts) }),
  cross: async ({ direct }, c) => { await direct.cross(unhex(c.author)) },
  chat: ({ direct }, c) => direct.history(unhex(c.author)),
  read: async ({ direct }, c) => { await direct.read(unhex(c.author)) },

  record: async ({ host, network }, c) => {
    const r = await dht.find(host, network, unhex(c.author), within(10_000).signal)
    return r == null ? { found: false } : { found: true, nick: r.nick, zone: r.zone, version: r.version, addrs: r.addrs.map(String) }
  },
  providers: async ({ host, rooms }, c) => ({ peers: (await dht.providers(host, rooms.get(c.room).log.id, within(10_000).signal)).map(String) }),
  publish: async ({ host, network, key, nick, rooms }) => {
    await dht.publish(host, network, key, nick, [...rooms.rooms.values()].map(r => r.log.id), within(20_000).signal)
  }
}
