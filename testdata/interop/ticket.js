// Tickets and how they prove membership: 11-registrars §2, 02-hello §7.

import { ascii, join, sha256, u32, verify } from './bytes.js'
import { fields, Refused } from './proto.js'

function strict (bytes, shape) {
  const out = {}
  let last = 0
  for (const { field, wire, value } of fields(bytes, true)) {
    if (field <= last || shape[field] == null || wire !== (shape[field] === 'uint' ? 0 : 2)) throw new Refused('form', 'a field')
    last = field
    out[field] = value
  }
  return out
}

/** Reads a signed ticket and checks its issuer's signature. */
export function readTicket (bytes) {
  if (bytes.length > 512) throw new Refused('form', 'size')
  const envelope = strict(bytes, { 1: 'bytes', 2: 'bytes' })
  const t = strict(envelope[1], {
    1: 'uint', 2: 'bytes', 3: 'bytes', 4: 'bytes', 5: 'uint', 6: 'bytes', 7: 'bytes', 8: 'uint', 9: 'uint', 10: 'uint'
  })
  if (t[1] !== 256n) throw new Refused('form', 'version')
  if (!verify(t[4], join(ascii('parley/ticket/1'), envelope[1]), envelope[2])) throw new Refused('signature')
  return {
    network: t[2],
    peer: t[3],
    issuer: t[4],
    role: Number(t[5]),
    zone: new TextDecoder().decode(t[6] ?? new Uint8Array()),
    short: t[7],
    notBefore: Number(t[8]),
    notAfter: Number(t[9]),
    final: Number(t[10] ?? 0n)
  }
}

/** The parts of a hello message that matter here; what is absent is empty. */
export function readTicketMessage (bytes) {
  const out = { body: new Uint8Array(), proof: new Uint8Array(), ticket: new Uint8Array() }
  for (const { field, value } of fields(bytes, false)) {
    if (field === 2) out.body = value
    if (field === 3) out.proof = value
    if (field === 4) out.ticket = value
  }
  return out
}

/** What is signed instead of a proof by a secret. */
export function ticketStatement (label, network, ids, parts) {
  const name = ascii(`parley/hello/1/${label}`)
  const all = [name, network, ...ids, ...parts].flatMap(p => [u32(p.length), p])
  return join(name, sha256(...all))
}
