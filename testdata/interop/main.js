// The program on Node.js: told by lines of JSON on stdin what to do, it tells by lines on stdout what came of it and what happens.
//
//	node main.js --network NAME | --invite TEXT   [--nick NICK] [--listen MULTIADDR]
//
// Commands and their answers are in commands.js; lines are answered in order. Between them stand { "event": WHAT, … }.
// At the end of stdin it says goodbye.

import { createInterface } from 'node:readline'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { WebSocket } from 'ws'
import { run, startClient } from './commands.js'
import { readFlags } from './flags.js'
import { readCommand } from './lines.js'

// Node.js has a WebSocket from version 22 on. That of ws may tell the first message before libp2p, woken by the opening,
// listens for it; a browser's does not.
globalThis.WebSocket ??= class extends WebSocket {
  constructor (...args) {
    super(...args)
    this.on('open', () => {
      this.pause()
      setImmediate(() => this.resume())
    })
  }
}

const tell = line => process.stdout.write(JSON.stringify(line) + '\n')
const client = await startClient(readFlags(), { transports: [tcp(), webSockets()] }, tell)
for await (const line of createInterface({ input: process.stdin })) {
  const command = readCommand(line, tell)
  if (command != null) await run(client, command)
}
await client.stop()
process.exit(0) // timers of the libraries may outlive the host
