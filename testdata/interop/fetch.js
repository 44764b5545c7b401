// Fetching events by id: 04-delivery §6.

import { readPayload, writePayload } from './batch.js'
import { equal, hex, join, pieces } from './bytes.js'
import { frames } from './host.js'
import { Refused, strict, Writer } from './proto.js'

export const status = { ok: 0, notServed: 1, busy: 2, failed: 3 }
const maxRequest = 2096
const maxReply = 1 << 20
const maxPayload = 131_072
const maxWant = 64
const time = 15_000

export function writeRequest (log, want) {
  return new Writer().bytes(1, log).bytes(2, join(...want)).end()
}

export function readRequest (bytes) {
  const f = strict(bytes, { 1: 'bytes', 2: 'bytes' })
  const want = pieces(f[2], 32)
  const ok = f[1].length === 32 && f[1].some(b => b !== 0) && want != null && want.length >= 1 && want.length <= maxWant
  if (!ok) throw new Refused('form', 'request')
  return { log: f[1], want }
}

/** Asks over a stream for up to 64 ids; returns verified batches. */
export async function ask (stream, log, want) {
  const f = frames(stream, maxPayload)
  await f.write(writeRequest(log, want))
  return readReply(() => f.read(time), log, want)
}

/** Reads a reply, of which next gives one frame after the other. */
export async function readReply (next, log, want) {
  const first = await next()
  if (first.length !== 1 || first[0] !== status.ok) throw new Refused('status', String(first[0]))
  const batches = []
  const missing = new Set(want.map(hex))
  for (let size = 0; ;) {
    const bytes = await next()
    if (bytes.length === 0) return batches
    if (size >= maxReply) throw new Refused('size', 'reply')
    size += bytes.length
    const batch = readPayload(bytes)
    const wanted = batch.events.filter(e => missing.delete(hex(e.id)))
    if (wanted.length === 0) throw new Refused('form', 'nothing of what was wanted')
    if (batch.events.some(e => !equal(e.log, log))) throw new Refused('log')
    batches.push(batch)
  }
}

/** Answers a request; logOf(id) gives a log that is served to the asker, or null. */
export async function serve (stream, logOf) {
  const f = frames(stream, maxRequest)
  const { log: id, want } = readRequest(await f.read(time))
  const log = logOf(id)
  if (log == null) return f.write(Uint8Array.of(status.notServed))
  await f.write(Uint8Array.of(status.ok))
  const sent = new Set()
  let size = 0
  for (const w of want) {
    const found = log.events.get(hex(w))
    if (found == null || sent.has(found.batch)) continue
    sent.add(found.batch)
    const bytes = writePayload({ ...found.batch, flags: 0 })
    await f.write(bytes, time)
    size += bytes.length
    if (size >= maxReply) break
  }
  await f.write(new Uint8Array())
}
