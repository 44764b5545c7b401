// The flags of both programs, main.js and browser.js.

import { parseArgs } from 'node:util'

export function readFlags () {
  const { values } = parseArgs({
    options: {
      network: { type: 'string' },
      invite: { type: 'string' },
      nick: { type: 'string', default: 'js' },
      listen: { type: 'string', multiple: true, default: [] }
    }
  })
  return values
}
