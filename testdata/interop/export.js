// Exports: 08-export, the lines of a file read and verified.

import { readPayload } from './batch.js'
import { ascii, equal, hex, sha256, unhex } from './bytes.js'
import { roomLog } from './events.js'
import { roomKey } from './network.js'
import { Refused, Writer } from './proto.js'

const maxLine = 131_072

/** Reads lines one after the other; line(text) gives a verified event, or null for a head, an end, an empty line. */
export class ExportReader {
  line (text) {
    if (ascii(text).length > maxLine) throw new Refused('form', 'length of a line')
    if (text.trim() === '') return null
    const l = parse(text)
    if ('parley_export' in l) return this.#head(l)
    if ('id' in l) return this.#event(l)
    if ('end' in l) return null
    throw new Refused('form', 'neither head, event nor end')
  }

  // §2
  #head (l) {
    this.log = null
    if (l.parley_export !== 1) throw new Refused('version', 'of an export')
    const key = roomKey(l.room ?? '')
    if (key == null || hex(roomLog(bytes32(l.network_id), key)) !== l.log) throw new Refused('form', 'log of a head')
    this.log = unhex(l.log)
    return null
  }

  // §3: the parts are those of a payload of one event.
  #event (l) {
    if (this.log == null) throw new Refused('no-head')
    const header = base64(l.header)
    if (!equal(sha256('parley/event/1', header), bytes32(l.id))) throw new Refused('id')
    const { signature, count = 1, index = 0, path = '' } = l.proof ?? {}
    if (![count, index].every(n => Number.isInteger(n) && n >= 0)) throw new Refused('form', 'place in a batch')
    const item = new Writer().bytes(1, header).bytes(2, l.content == null ? null : base64(l.content)).end()
    const batch = readPayload(new Writer().bytes(1, base64(signature)).always(3, item)
      .uint(4, count === 1 ? 0 : count).uint(5, index).bytes(6, base64(path)).end())
    const [e] = batch.events
    if (!equal(e.log, this.log) || e.keyEpoch !== 0n) throw new Refused('form', 'log of an event')
    return e
  }
}

function parse (text) {
  try {
    const l = JSON.parse(text)
    if (l !== null && typeof l === 'object' && !Array.isArray(l)) return l
  } catch {}
  throw new Refused('form', 'no JSON object')
}

function bytes32 (text) {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Refused('form', 'hex')
  return unhex(text)
}

function base64 (text) {
  try {
    const letters = atob(text)
    if (btoa(letters) === text) return Uint8Array.from(letters, c => c.charCodeAt(0))
  } catch {}
  throw new Refused('form', 'base64')
}
