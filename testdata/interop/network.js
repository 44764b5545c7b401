// Networks: 01-network. IDs, tags, hello keys, invites, names of protocols and topics.

import { equal, hex, join, sha256, utf8 } from './bytes.js'
import { readVarint, Refused } from './proto.js'

/** What a client has to know of a network. keys are { epoch, key } for hello (§2.4). */
export class Network {
  constructor (id, keys) {
    this.id = id
    this.keys = keys
    this.tag = hex(sha256('parley/tag/1', id).subarray(0, 4))
  }

  /** Name of a stream protocol (§4). */
  protocol (what) {
    return `/parley/${this.tag}/${what}/1.0.0`
  }

  topic (what) {
    return `/parley/${this.tag}/${what}`
  }
}

/** §2.1 */
export function openNetwork (name) {
  const enforced = nickname(name, false)
  if (enforced == null) throw new Refused('form', 'name of a network')
  const id = sha256(new TextEncoder().encode(enforced))
  return new Network(id, [{ epoch: 0, key: sha256('parley/open/1', id) }])
}

/** §2.3. key is the comparison key of the name (03-events §2.3). */
export function adHocNetwork (key, secret) {
  return new Network(sha256('parley/adhoc/1', new TextEncoder().encode(key), secret), [{ epoch: 1, key: secret }])
}

const modes = { 1: 'open', 2: 'secret', 3: 'certified', 4: 'adhoc' }

/** Reads an invite (§6): { mode, network, peer, addr }; peer and addr are bytes, absent without an address. */
export function readInvite (text) {
  const letters = text.replace(/\s/g, '').toUpperCase()
  if (letters.length > 4096 || !letters.startsWith('PARLEY:')) throw new Refused('form', 'no invite')
  const b = base32(letters.slice('PARLEY:'.length))
  if (b[0] !== 1) throw new Refused('version', 'of an invite')
  const body = b.subarray(0, -4)
  if (!equal(b.subarray(-4), sha256('parley/invite/1', body).subarray(0, 4))) throw new Refused('form', 'check of an invite')
  const mode = modes[body[1]]
  if (mode == null || body.length < 34) throw new Refused('form', 'mode of an invite')
  const id = body.slice(2, 34)
  let at = 34
  let keys = mode === 'open' ? [{ epoch: 0, key: sha256('parley/open/1', id) }] : []
  if (mode === 'secret' || mode === 'adhoc') {
    let epoch;
    [epoch, at] = readVarint(body, at, true)
    if (epoch === 0n || body.length < at + 32) throw new Refused('form', 'secret of an invite')
    keys = [{ epoch: Number(epoch), key: body.slice(at, at + 32) }]
    at += 32
  }
  const out = { mode, network: new Network(id, keys) }
  if (mode === 'certified') {
    if (body.length < at + 32) throw new Refused('form', 'fingerprint of an invite')
    out.fingerprint = body.slice(at, at + 32)
    at += 32
  }
  if (at === body.length) return out
  if (body.length < at + 33 || body.length > at + 160) throw new Refused('form', 'address of an invite')
  return { ...out, peer: body.slice(at, at + 32), addr: body.slice(at + 32) }
}

function base32 (letters) {
  let bits = 0
  let value = 0
  const out = []
  for (const c of letters) {
    const n = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c)
    if (n < 0) throw new Refused('form', 'letter of an invite')
    value = (value << 5 | n) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      out.push(value >> bits & 0xff)
    }
  }
  if (bits >= 5 || (value & (1 << bits) - 1) !== 0) throw new Refused('form', 'bits left over in an invite')
  return Uint8Array.from(out)
}

/** The comparison key of a room's name (03-events §2.3); null if it is none. */
export function roomKey (name) {
  const key = nickname(name, true)
  return key == null || '@#-/'.includes(key[0]) ? null : key
}

const refused = /[\p{Cc}\p{Cn}\p{Cs}\p{Co}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u

/**
 * The Nickname profile of RFC 8266: enforced, or as a key in small letters. JavaScript has no PRECIS:
 * this refuses controls, unassigned characters and most invisible ones by their general category.
 */
function nickname (name, small) {
  if (utf8(new TextEncoder().encode(name)) !== name || new TextEncoder().encode(name).length > 1024) return null
  let s = name
  for (let i = 0; i < 4; i++) {
    if (small) s = s.replace(/[\uff00-\uffef]/gu, c => c.normalize('NFKC'))
    s = s.replace(/\p{Zs}+/gu, ' ').replace(/^ | $/g, '')
    if (small) s = [...s].map(c => c === 'Σ' ? 'σ' : c.toLowerCase()).join('')
    s = s.normalize('NFKC')
    if (s === '' || refused.test(s)) return null
  }
  return [...s].length > 64 ? null : s
}
