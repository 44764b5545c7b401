// Comparing a log with a peer's: 06-sync §2 and §4.

import { compare, equal, hex, join, pieces } from './bytes.js'
import { seconds } from './events.js'
import { frames } from './host.js'
import { answer, boundBetween, fingerprint, infinity, MessageWriter, modes, readMessage, within, zero } from './negentropy.js'
import { Refused, strict, Writer } from './proto.js'

const maxMessage = 32 << 10
const maxReply = 128 << 10
const maxMessages = 512
const time = 15_000
const think = 30_000

/** The elements of a log from a floor on. */
function itemsOf (log, floor) {
  const items = log.history().map(e => ({ second: seconds(e.hlc), id: e.id })).filter(i => i.second >= floor)
  return items.sort((a, b) => a.second - b.second || compare(a.id, b.id))
}

/** Compares a log over a stream. Returns { need: ids that the other has, heads, complete, equal }. */
export async function compareOver (stream, log) {
  const f = frames(stream, maxReply)
  await f.write(writeRequest(log.id, 0))
  const there = readAnswer(await f.read(time))
  const items = itemsOf(log, there.floor)
  const need = new Map()
  let ranges = [{ from: zero, to: infinity, here: items }]
  let same = true
  for (let n = 0; ranges.length > 0; n++) {
    if (n === maxMessages) throw new Refused('size', 'messages')
    await f.write(question(ranges, items))
    const reply = await f.read(time)
    if (reply.length === 1 && reply[0] < 0x60) throw new Refused('status', String(reply[0]))
    ranges = []
    for (const r of readMessage(reply)) {
      const here = within(items, r.from, r.to)
      if (r.mode === modes.skip || (r.mode === modes.fingerprint && equal(r.fingerprint, fingerprint(here)))) continue
      if (r.mode === modes.fingerprint) {
        ranges.push({ from: r.from, to: r.to, here })
        continue
      }
      const ids = new Set(here.map(i => hex(i.id)))
      for (const id of r.ids) if (!ids.delete(hex(id))) need.set(hex(id), id)
      same &&= ids.size === 0
    }
  }
  await stream.close()
  return { need: [...need.values()], heads: there.heads, complete: there.complete, equal: same && need.size === 0 }
}

// Asks for each range by ids if there is little here, else by fingerprints of two halves; what has no place is
// asked for as one range up to the last.
function question (ranges, items) {
  const w = new MessageWriter()
  for (const { from, to, here } of ranges) {
    if (w.length + 32 * 32 + 200 > maxMessage) {
      const { to: last } = ranges.at(-1)
      w.fingerprint(last, fingerprint(within(items, w.from, last)))
      break
    }
    if (from !== w.from) w.skip(from)
    if (here.length < 32) {
      w.ids(to, here.map(i => i.id))
      continue
    }
    const half = here.length >> 1
    w.fingerprint(boundBetween(here[half - 1], here[half]), fingerprint(here.slice(0, half)))
    w.fingerprint(to, fingerprint(here.slice(half)))
  }
  return w.end()
}

export const writeRequest = (log, floor) => new Writer().bytes(1, log).uint(2, floor).end()

export function readRequest (bytes) {
  const f = strict(bytes, { 1: 'bytes', 2: 'uint' })
  if (f[1].length !== 32 || f[1].every(b => b === 0)) throw new Refused('form', 'request')
  return { log: f[1], floor: Number(f[2]) }
}

export function readAnswer (bytes) {
  if (bytes[0] !== 0) throw new Refused('status', String(bytes[0]))
  const f = strict(bytes.slice(1), { 1: 'uint', 2: 'bytes', 3: 'uint', 4: 'uint' })
  const heads = pieces(f[2], 32)
  if (heads == null || heads.length > 8 || f[3] > 1n) throw new Refused('form', 'answer')
  return { floor: Number(f[1]), heads, complete: f[3] === 1n, count: Number(f[4]) }
}

/** Answers a session; logOf(id) gives a log that is served to the asker, or null. */
export async function serve (stream, logOf) {
  const f = frames(stream, maxMessage)
  const request = readRequest(await f.read(time))
  const log = logOf(request.log)
  if (log == null) return f.write(Uint8Array.of(1))
  const items = itemsOf(log, request.floor)
  const heads = log.heads().slice(0, 8).map(e => e.id)
  await f.write(join(Uint8Array.of(0), new Writer().bytes(2, join(...heads)).uint(3, log.complete ? 1 : 0).uint(4, items.length).end()))
  for (let n = 0; n < maxMessages; n++) {
    let message
    try {
      message = await f.read(think)
    } catch (err) {
      if (err.name === 'UnexpectedEOFError') return // the asker has ended
      throw err
    }
    await f.write(answer(items, message, maxReply), time)
  }
}
