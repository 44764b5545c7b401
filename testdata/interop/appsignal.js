// Signals of applications: 10-signals.

import { join, verify } from './bytes.js'
import { loose, Refused, Writer } from './proto.js'

const maxEnvelope = 2048
const maxData = 768
const typeForm = /^[\x21-\x7e]{1,64}$/

const signed = (network, log, body) => join('parley/app/1', network, log, body)

/** §2: the envelope of a signal that key's author tells in a log. */
export function writeAppSignal (key, network, log, s) {
  const body = new Writer().bytes(1, key.public).uint(2, s.time).uint(3, s.seq).bytes(4, join(s.type)).bytes(5, s.data).end()
  return new Writer().bytes(1, body).bytes(2, key.sign(signed(network, log, body))).end()
}

export function readAppSignal (bytes, network, log) {
  if (bytes.length > maxEnvelope) throw new Refused('form', 'size')
  const envelope = loose(bytes, { 1: 'bytes', 2: 'bytes' })
  const f = loose(envelope[1], { 1: 'bytes', 2: 'uint', 3: 'uint', 4: 'bytes', 5: 'bytes' })
  const type = Buffer.from(f[4]).toString('latin1')
  if (f[1].length !== 32 || !typeForm.test(type) || f[5].length > maxData) throw new Refused('form', 'signal')
  if (!verify(f[1], signed(network, log, envelope[1]), envelope[2])) throw new Refused('signature')
  return { author: f[1], time: Number(f[2]), seq: f[3], type, data: f[5] }
}

/** §4: what stands behind the kind in a direct chat's frame. */
export const writeAppFrame = s => join(Uint8Array.of(s.type.length), s.type, s.data)

export function readAppFrame (bytes) {
  const type = Buffer.from(bytes.slice(1, 1 + bytes[0])).toString('latin1')
  const data = bytes.slice(1 + bytes[0])
  if (bytes.length < 1 + bytes[0] || !typeForm.test(type) || data.length > maxData) throw new Refused('form', 'signal')
  return { type, data }
}
