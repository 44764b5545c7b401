// Audit logs: 12-audit, a log and a proof from it verified.

import { sha3_256 } from '@noble/hashes/sha3.js'
import { peerIdFromString } from '@libp2p/peer-id'
import { ascii, equal, hex, join, sha256, utf8, verify } from './bytes.js'
import { Refused } from './proto.js'

const empty = sha256('')
const base64 = bytes => btoa(String.fromCharCode(...bytes))
const word = '[a-z0-9-]{0,32}'
const plain = most => `[!#-\\[\\]-~]{0,${most}}`
const number = '(?:0|[1-9][0-9]{0,15})'
const form = new RegExp('^(\\{"n":(' + number + '),"time":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z)","op":"(' + word + ')"' +
  `,"actor":"${plain(128)}","subject":"${plain(128)}","reason":"${word}"` +
  ',"detail":"((?:[^"\\\\\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]|\\\\["\\\\])*)"' +
  `,"addr":"${plain(256)}","mac":"((?:[0-9a-f]{2}(?::[0-9a-f]{2}){0,19})?)","size":(${number})),"sha3":"([0-9a-f]{64})"\\}$`)

function unbase64 (text) {
  try {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0))
    if (base64(bytes) === text) return bytes
  } catch {}
  throw new Refused('form', 'base64')
}

/** Reads the bytes of a line without its LF: { n, leaf }. */
export function readAuditRecord (line) {
  const m = line.length <= 4096 ? form.exec(utf8(line) ?? '') : null
  if (m == null) throw new Refused('form', 'record')
  const [, body, n, time, op, detail, , size, sum] = m
  const at = new Date(time)
  if (op === '' || Number.isNaN(at.getTime()) || at.toISOString() !== time) throw new Refused('form', 'op or time')
  if (!Number.isSafeInteger(Number(n)) || !Number.isSafeInteger(Number(size))) throw new Refused('form', 'number')
  if (ascii(JSON.parse(`"${detail}"`)).length > 1024) throw new Refused('form', 'detail')
  if (hex(sha3_256(ascii(body + '}'))) !== sum) throw new Refused('fingerprint', 'record')
  return { n: Number(n), leaf: sha256(Uint8Array.of(0), line) }
}

const node = (left, right) => sha256(Uint8Array.of(1), left, right)

/** The largest power of two below n. */
function below (n) {
  let k = 1
  while (2 * k < n) k *= 2
  return k
}

/** The root of a tree of leaves. */
export function auditRoot (leaves) {
  if (leaves.length === 0) return empty
  if (leaves.length === 1) return leaves[0]
  const k = below(leaves.length)
  return node(auditRoot(leaves.slice(0, k)), auditRoot(leaves.slice(k)))
}

/** The root that an audit path leads to from leaf i of n. */
function climb (path, i, n, leaf) {
  if (n === 1) {
    if (path.length > 0) throw new Refused('proof', 'a hash too many')
    return leaf
  }
  if (path.length === 0) throw new Refused('proof', 'a hash is missing')
  const [rest, last, k] = [path.slice(0, -1), path.at(-1), below(n)]
  return i < k ? node(climb(rest, i, k, leaf), last) : node(last, climb(rest, i - k, n - k, leaf))
}

/** The key hash of a name, and its public key; null for names of other kinds. */
export function auditKey (name) {
  const m = /^parley\/audit\/1\/[0-9a-f]{8}\/(12D3KooW[1-9A-HJ-NP-Za-km-z]+)$/.exec(name)
  if (m == null) return null
  const key = peerIdFromString(m[1]).publicKey.raw
  return { peer: m[1], key, hash: sha256(name, '\n', Uint8Array.of(1), key).slice(0, 4) }
}

/** Reads a signed note: { origin, size, root, signers }, the last two of peer IDs. */
export function readCheckpoint (note) {
  const m = /^(([^\n]+)\n(0|[1-9][0-9]*)\n([^\n]+)\n)\n((?:— [^ \n]+ [^ \n]+\n)+)$/.exec(note)
  if (m == null || ascii(note).length > 8192) throw new Refused('form', 'checkpoint')
  const [, text, name, size, root, lines] = m
  const signers = []
  for (const line of lines.trimEnd().split('\n')) {
    const [, by, signature] = line.split(' ')
    const [known, raw] = [auditKey(by), unbase64(signature)]
    if (known == null || !equal(known.hash, raw.slice(0, 4))) continue
    if (!verify(known.key, ascii(text), raw.slice(4))) throw new Refused('signature', 'checkpoint')
    signers.push(known.peer)
  }
  const origin = auditKey(name)?.peer
  if (origin == null || !signers.includes(origin)) throw new Refused('signature', 'unsigned')
  return { origin, size: Number(size), root: unbase64(root), signers }
}

/** Verifies a log: the bytes of its records, and its checkpoints' and cosigned notes. */
export function verifyAudit (lines, notes) {
  const leaves = lines.map((line, n) => {
    const r = readAuditRecord(line)
    if (r.n !== n) throw new Refused('order', `record ${n}`)
    return r.leaf
  })
  return notes.map(note => {
    const c = readCheckpoint(note)
    if (c.size > leaves.length) throw new Refused('missing', `record ${leaves.length}`)
    if (!equal(auditRoot(leaves.slice(0, c.size)), c.root)) throw new Refused('changed', `below record ${c.size}`)
    return c
  })
}

/** Checks a proof, parsed from JSON, and returns its checkpoint. */
export function checkAuditProof (p) {
  const line = ascii(p.record)
  const [r, c] = [readAuditRecord(line), readCheckpoint(p.checkpoint)]
  if (p.parley_audit_proof !== 1 || r.n !== p.index || c.size !== p.size || r.n >= c.size) throw new Refused('proof', 'numbers')
  if (!equal(climb(p.hashes.map(unbase64), r.n, c.size, r.leaf), c.root)) throw new Refused('proof', 'path')
  return c
}
