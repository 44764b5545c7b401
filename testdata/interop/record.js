// The network record: 01-network §5.

import { equal, utf8, verify, join } from './bytes.js'
import { frames } from './host.js'
import { loose, readVarint, Refused, strict, Writer } from './proto.js'

const maxSigned = 4096
const maxAnswer = 4224
const time = 10_000

/** §5.1, §5.2: the record, if the root of the network signed it. */
export function readRecord (signed, network) {
  if (signed.length > maxSigned) throw new Refused('too_large', 'record')
  const envelope = strict(signed, { 1: 'bytes', 2: 'bytes' })
  if (!verify(network, join('parley/network/1', envelope[1]), envelope[2])) throw new Refused('signature')
  const version = readVersion(envelope[1])
  if (version >> 8n !== 1n) throw new Refused('version', 'of a record')
  const f = strict(envelope[1], {
    1: 'uint', 2: 'bytes', 3: 'bytes', 4: 'uint', 5: 'uint', 6: 'bytes', 7: 'uint', 8: 'uint', 9: 'uint'
  }, { later: version > 256n })
  const epochs = readEpochs(f[6])
  const name = utf8(f[3])
  const ok = equal(f[2], network) && name != null && name !== '' && [...name].length <= 64 && f[3].length <= 256 &&
    (f[4] === 2n || f[4] === 3n) && f[5] > 0n && (epochs.length > 0 || f[4] === 3n) && f[8] > 0n && f[9] >= f[8]
  if (!ok) throw new Refused('form', 'record')
  return { version, name, mode: Number(f[4]), sequence: f[5], epochs, registrarSet: f[7], wireMin: f[8], wireMax: f[9] }
}

function readVersion (record) {
  if (record[0] !== 8) throw new Refused('form', 'version of a record')
  return readVarint(record, 1, true)[0]
}

function readEpochs (bytes) {
  const out = []
  for (let at = 0, n; at < bytes.length;) {
    [n, at] = readVarint(bytes, at, true)
    if (n <= (out.at(-1) ?? 0n)) throw new Refused('form', 'epochs')
    out.push(n)
  }
  if (out.length > 16) throw new Refused('form', 'epochs')
  return out
}

/** §5.3: what a peer tells: { record, signed, zone }; no record if it has none. */
export async function ask (stream, network) {
  const f = loose(await frames(stream, maxAnswer).read(time), { 1: 'bytes', 2: 'bytes' })
  await stream.close()
  const zone = utf8(f[2])
  return f[1].length === 0 ? { zone } : { zone, signed: f[1], record: readRecord(f[1], network) }
}

/** Tells the signed record, if there is one. */
export function serve (stream, signed) {
  return frames(stream, 0).write(new Writer().bytes(1, signed).end())
}
