// The program: told by lines of JSON on stdin what to do, it tells by lines on stdout what came of it and what happens.
//
//	node main.js --network NAME | --invite TEXT   [--nick NICK] [--listen MULTIADDR]
//
// A line is { "do": WHAT, … }. Its answer is { "done": WHAT, … } or { "failed": WHAT, "why": … }; lines are answered in
// order. Between them stand { "event": WHAT, … }. At the end of stdin it says goodbye.

import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { hex, random, unhex } from './bytes.js'
import { Client } from './client.js'
import * as dht from './dht.js'
import { show } from './events.js'
import { peerOf, within } from './host.js'
import { openNetwork, readInvite } from './network.js'

const { values: flags } = parseArgs({
  options: {
    network: { type: 'string' },
    invite: { type: 'string' },
    nick: { type: 'string', default: 'js' },
    listen: { type: 'string', multiple: true, default: [] }
  }
})

const tell = line => process.stdout.write(JSON.stringify(line) + '\n')
const client = new Client({
  seed: random(32), // nothing is kept over a restart: under the same key that would be a fork (03-events §3.4)
  network: flags.invite == null ? openNetwork(flags.network ?? 'lan') : readInvite(flags.invite).network,
  nick: flags.nick,
  listen: flags.listen,
  tell
})

const { rooms, direct } = client
const commands = {
  dial: async c => ({ peer: String(await client.dial(c.addr)) }),

  join: async c => {
    const room = await rooms.join(c.room)
    await room.busy
    const [profile] = await rooms.profile(room)
    return { log: hex(room.log.id), profile: hex(profile.id) }
  },

  // Reads without being a member.
  follow: async c => ({ log: hex((await rooms.join(c.room)).log.id) }),

  // Compares with one peer until both are equal.
  compare: async c => {
    const room = rooms.get(c.room)
    const peer = peerOf(unhex(c.author))
    let got = 0
    for (let rounds = 1; ; rounds++) {
      const found = await rooms.compare(room, peer)
      got += found.got
      if (found.equal || rounds === 10) return { equal: found.equal, got, rounds }
    }
  },

  send: async c => ({ ids: (await rooms.texts(rooms.get(c.room), c.texts)).map(e => hex(e.id)) }),
  history: c => ({ complete: rooms.get(c.room).log.complete, events: rooms.get(c.room).log.history().map(show) }),
  online: () => ({ authors: client.online.list().map(s => ({ author: hex(s.author), nick: s.nick, rooms: s.rooms.map(r => r.name) })) }),
  direct: async c => ({ ids: await direct.send(unhex(c.author), c.texts) }),
  chat: c => direct.history(unhex(c.author)),
  read: async c => { await direct.read(unhex(c.author)) },

  record: async c => {
    const r = await dht.find(client.host, client.network, unhex(c.author), within(10_000).signal)
    return r == null ? { found: false } : { found: true, nick: r.nick, zone: r.zone, version: r.version, addrs: r.addrs.map(String) }
  },
  providers: async c => ({ peers: (await dht.providers(client.host, rooms.get(c.room).log.id, within(10_000).signal)).map(String) }),
  publish: async () => {
    await dht.publish(client.host, client.network, client.key, client.nick, [...rooms.rooms.values()].map(r => r.log.id), within(20_000).signal)
  }
}

await client.start()
for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line)
  try {
    tell({ done: c.do, ...await commands[c.do](c) })
  } catch (err) {
    tell({ failed: c.do, why: `${err.name}: ${err.message}` })
  }
}
await client.stop()
process.exit(0) // timers of the libraries may outlive the host
