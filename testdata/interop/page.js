// The client in a page, driven by browser.js: it has the transports of a browser, and otherwise the same parts.

import { webRTCDirect } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { webTransport } from '@libp2p/webtransport'
import { run, startClient } from './commands.js'

const browser = {
  transports: [webSockets(), webTransport(), webRTCDirect()],
  // libp2p in a page refuses ws:// and private addresses unless it is told not to.
  connectionGater: { denyDialMultiaddr: () => false }
}

let client
window.parley = {
  start: async flags => { client = await startClient(flags, browser, window.tell) },
  run: command => run(client, command),
  stop: () => client.stop()
}
