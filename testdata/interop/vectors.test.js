// Every vector that the pages name, read by this client: node --test

import { readdirSync, readFileSync } from 'node:fs'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { readAppFrame, readAppSignal, writeAppFrame, writeAppSignal } from './appsignal.js'
import { auditKey, auditRoot, checkAuditProof, readAuditRecord, verifyAudit } from './audit.js'
import { pathOf, readPayload, rootOf, signed, writePayload } from './batch.js'
import { ascii, compare, hex, keyOf, sha256, u32, unhex, verify } from './bytes.js'
import { readFrame } from './chat.js'
import * as dht from './dht.js'
import { logId, readMessage, readProfile } from './events.js'
import { ExportReader } from './export.js'
import * as fetch from './fetch.js'
import { Initiator, Responder, side } from './hello.js'
import { readAnnouncement } from './lan.js'
import * as neg from './negentropy.js'
import { adHocNetwork, Network, openNetwork, readInvite, roomKey } from './network.js'
import { readSignal, writeSignal } from './presence.js'
import { readTicket, readTicketMessage, ticketStatement } from './ticket.js'
import { readVarint, Refused, varint } from './proto.js'
import { readRecord } from './record.js'
import * as sync from './sync.js'

const load = path => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url)))

/** The reason for which f refuses, '' if it does not. */
function reason (f) {
  try {
    f()
    return ''
  } catch (err) {
    if (err instanceof Refused) return err.reason
    throw err
  }
}

/** The frames that stand one after the other; throws if the last is cut short. */
function framesOf (bytes, limit, out = []) {
  for (let at = 0; at < bytes.length;) {
    const [size, begin] = readVarint(bytes, at, false)
    if (size > BigInt(limit)) throw new Refused('size', 'frame')
    at = begin + Number(size)
    if (at > bytes.length) throw new Refused('form', 'cut short')
    out.push(bytes.slice(begin, at))
  }
  return out
}
const framed = bytes => hex(varint(bytes.length)) + hex(bytes)

// spec: 01-network M2, M3, M4, M5
test('01-network: networks', () => {
  for (const v of load('node/testdata/networks.json')) {
    const n = v.mode === 'open' ? openNetwork(v.name) : adHocNetwork(roomKey(v.name), unhex(v.secret))
    assert.deepEqual([hex(n.id), n.tag, hex(n.keys[0].key)], [v.network_id, v.tag, v.hello_key], v.name)
  }
})

// spec: 01-network M6
test('01-network: names', () => {
  const v = load('node/testdata/names.json')
  const n = new Network(unhex(v.network_id), [])
  for (const [what, name] of Object.entries(v.protocols)) assert.equal(n.protocol(what), name)
  assert.deepEqual([n.topic('presence'), n.topic(v.log), n.topic(`${v.log}/signal`)], [v.topics.presence, v.topics.log, v.topics.signals])
})

// spec: 01-network M8, M9
test('01-network: framing', () => {
  for (const v of load('internal/wire/testdata/frames.json')) {
    const got = []
    const why = reason(() => framesOf(unhex(v.bytes), v.limit, got))
    assert.equal(why, { size: 'size', cut: 'form' }[v.error] ?? '', v.name)
    assert.deepEqual(got.map(hex), v.frames, v.name)
    if (why === '') assert.equal(got.map(framed).join(''), v.bytes, v.name)
  }
})

// spec: 01-network M25
test('01-network: invites', () => {
  for (const [name, v] of Object.entries(load('node/testdata/invites.json'))) {
    const got = readInvite(v.text)
    assert.equal(got.mode, v.mode, name)
    assert.equal(hex(got.network.id), v.network, name)
    if (v.secret !== '') assert.deepEqual(got.network.keys, [{ epoch: v.epoch, key: unhex(v.secret) }], name)
    if (v.fingerprint != null) assert.equal(hex(got.fingerprint), v.fingerprint, name)
    assert.equal(got.peer == null, v.peer === '', name)
  }
})

const sideOf = (v, network) => side(unhex(v.peer_id), {
  id: unhex(network), keys: v.secrets.map(s => ({ epoch: s.epoch, key: unhex(s.key) }))
}, { nonce: unhex(v.nonce), min: v.version_min, max: v.version_max, features: v.features, role: v.role, clock: v.clock_ms })

function handshake (v) {
  const [i, r] = [sideOf(v.initiator, v.network), sideOf(v.responder, v.network)]
  return [new Initiator(i, r.peerId), new Responder(r, i.peerId)]
}

// spec: 02-hello M10, M17
test('02-hello: handshakes', () => {
  for (const v of load('internal/hello/testdata/handshakes.json').vectors) {
    const [i, r] = handshake(v)
    const m = [i.hello()]
    m.push(r.challenge(m[0]))
    m.push(i.challenge(m[1]))
    m.push(r.ack(m[2]))
    const result = i.ack(m[3])
    assert.deepEqual(m.map(hex), v.messages, v.name)
    assert.deepEqual([result.version, result.features, result.epoch], [v.version, v.features, v.epoch], v.name)
  }
})

// spec: 02-hello M25, M26; 11-registrars M1, M2
test('02-hello: tickets', () => {
  for (const v of load('internal/hello/testdata/tickets.json').vectors) {
    const ids = [unhex(v.initiator.peer_id), unhex(v.responder.peer_id)]
    const shown = v.messages.map(m => readTicketMessage(unhex(m)))
    for (const [side, m] of [[v.responder, shown[1]], [v.initiator, shown[2]]]) {
      assert.equal(hex(m.ticket), side.ticket)
      const t = readTicket(m.ticket)
      assert.deepEqual(
        [hex(t.network), hex(t.peer), hex(t.issuer), t.zone, hex(t.short), t.notBefore, t.notAfter, t.final],
        [v.network, side.peer_id.slice(12), v.registrar, side.zone, side.short_address, side.not_before, side.not_after, side.final], v.name)
    }
    const parts = [shown[0].body, shown[1].body, shown[1].ticket, shown[2].body, shown[2].ticket, shown[3].body]
    for (const [label, signer, m, upTo] of [['challenge', ids[1], shown[1], 3], ['proof', ids[0], shown[2], 5], ['ack', ids[1], shown[3], 6]]) {
      const said = ticketStatement(label, unhex(v.network), ids, parts.slice(0, upTo))
      assert.ok(verify(signer.slice(6), said, m.proof), label)
    }
  }
})

// spec: 02-hello M7, M8, M10, M15, M16
test('02-hello: refused', () => {
  const [first] = load('internal/hello/testdata/handshakes.json').vectors
  const m = first.messages.map(unhex)
  for (const v of load('internal/hello/testdata/refused.json').vectors) {
    const [i, r] = handshake(first)
    const steps = [() => r.challenge(m[0]), () => i.challenge(m[1]), () => r.ack(m[2]), () => i.ack(m[3])]
    i.hello()
    for (const s of steps.slice(0, v.step - 1)) s()
    m.push(unhex(v.message))
    const last = m.pop()
    const bad = [() => r.challenge(last), () => i.challenge(last), () => r.ack(last), () => i.ack(last)][v.step - 1]
    assert.equal(reason(bad), v.reason, `${v.step} ${v.name}`)
  }
})

// spec: 03-events M1, M28, M33, M34
test('03-events: valid', () => {
  for (const v of load('internal/event/testdata/valid.json').vectors) {
    const b = readPayload(unhex(v.payload))
    assert.equal(hex(writePayload(b)), v.payload, v.name)
    assert.deepEqual([hex(b.signature), b.count, b.index, b.path.map(hex), hex(b.root), hex(signed(b.count, b.root)), (b.flags & 1) === 1],
      [v.signature, v.count, v.index, v.path, v.root, v.signed, v.ack_wanted], v.name)
    for (const [i, e] of b.events.entries()) {
      const w = v.events[i]
      assert.deepEqual([hex(e.id), hex(e.header), e.version, hex(e.log), hex(e.author), String(e.seq), String(e.hlc), e.parents.map(hex), e.kind],
        [w.id, w.header, w.version, w.log, w.author, w.seq, w.hlc, w.parents, w.kind], v.name)
      assert.deepEqual([String(e.keyEpoch), String(e.expiry), e.contentSize, hex(e.contentHash), e.content == null ? null : hex(e.content)],
        [w.key_epoch, w.expiry, w.content_size, w.content_hash, w.content], v.name)
    }
  }
})

// spec: 03-events M1, M6, M9, M13, M14, M23, M30, M33, M35, M36, M37, M38
test('03-events: invalid', () => {
  for (const v of load('internal/event/testdata/invalid.json').vectors) {
    assert.equal(reason(() => readPayload(unhex(v.payload))), v.reason, v.name)
  }
})

// spec: 03-events M29
test('03-events: merkle', () => {
  for (const v of load('internal/event/testdata/merkle.json').vectors) {
    const ids = Array.from({ length: v.count }, (_, i) => sha256(u32(i)))
    assert.equal(hex(rootOf(ids)), v.root)
    assert.deepEqual(pathOf(ids, v.index).map(hex), v.path)
  }
})

// spec: 03-events M31
test('03-events: ed25519', () => {
  for (const v of load('internal/event/testdata/ed25519.json').vectors) {
    assert.equal(verify(unhex(v.public_key), unhex(v.message), unhex(v.signature)), v.valid, v.name)
  }
})

// spec: 03-events M3, M4, M5
test('03-events: logs and rooms', () => {
  for (const v of load('internal/event/testdata/logs.json').vectors) {
    assert.equal(hex(logId(unhex(v.network), v.kind, unhex(v.seed))), v.log, v.name)
  }
  for (const v of load('internal/event/testdata/rooms.json').vectors) {
    assert.equal(roomKey(v.input) ?? '', v.key, JSON.stringify(v.input))
  }
})

// spec: 03-events M25, M26
test('03-events: contents', () => {
  for (const v of load('internal/event/testdata/contents.json').vectors) {
    const read = () => v.kind === 1 ? readMessage(unhex(v.payload)) : readProfile(unhex(v.payload))
    assert.equal(reason(read), v.reason, v.name)
    if (v.reason !== '') continue
    const got = read()
    if (v.kind === 2) assert.equal(got.nick, v.nick ?? '', v.name)
    else assert.deepEqual([got.type, hex(got.data), got.fallback], [v.type, v.data ?? '', v.fallback ?? ''], v.name)
  }
})

const deliveries = what => load('internal/delivery/testdata/frames.json').vectors.filter(v => v.what === what)

// spec: 04-delivery M11, M13, M14
test('04-delivery: fetch', async () => {
  for (const v of deliveries('fetch request')) {
    const read = () => fetch.readRequest(framesOf(unhex(v.bytes), 2096)[0])
    assert.equal(reason(read) === '', v.valid, v.name)
    if (!v.valid) continue
    const { log, want } = read()
    assert.deepEqual([hex(log), want.map(hex)], [v.log, v.want], v.name)
    assert.equal(framed(fetch.writeRequest(log, want)), v.bytes, v.name)
  }
  for (const v of deliveries('fetch reply')) {
    const frames = framesOf(unhex(v.bytes), 131_072)
    const events = (v.payloads ?? []).flatMap(p => readPayload(unhex(p)).events)
    const next = () => frames.length > 0 ? frames.shift() : assert.fail('cut off')
    const reply = fetch.readReply(next, events[0]?.log, events.map(e => e.id))
    if (v.status !== 0) await assert.rejects(reply, new RegExp(`status: ${v.status}`), v.name)
    else if (!v.valid) await assert.rejects(reply, /cut off/, v.name)
    else assert.deepEqual((await reply).map(b => hex(writePayload(b))), v.payloads ?? [], v.name)
  }
})

// spec: 06-sync M2, M4
test('06-sync: requests and answers', () => {
  for (const v of deliveries('sync request')) {
    const read = () => sync.readRequest(framesOf(unhex(v.bytes), 64)[0])
    assert.equal(reason(read) === '', v.valid, v.name)
    if (v.valid) assert.equal(framed(sync.writeRequest(unhex(v.log), read().floor)), v.bytes, v.name)
    if (v.valid) assert.equal(read().floor, v.floor ?? 0, v.name)
  }
  for (const v of deliveries('sync answer')) {
    const read = () => sync.readAnswer(framesOf(unhex(v.bytes), 512)[0])
    assert.equal(reason(read) === '', v.valid, v.name)
    if (!v.valid) continue
    const { floor, heads, complete, count } = read()
    assert.deepEqual([floor, heads.map(hex), complete, count], [v.floor ?? 0, v.heads ?? [], v.complete ?? false, v.count ?? 0], v.name)
  }
})

const item = i => {
  const b = Buffer.alloc(8)
  b.writeBigUInt64BE(BigInt(i))
  return { second: 1_700_000_000 + Math.floor(i / 3), id: sha256(b) }
}
const items = sets => sets.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => item(from + i)))
  .sort((a, b) => a.second - b.second || compare(a.id, b.id))

// spec: 06-sync M7, M8
test('06-sync: parts', () => {
  const v = load('internal/reconcile/testdata/vectors.json')
  for (const x of v.fingerprints) assert.equal(hex(neg.fingerprint(x.ids.map(id => ({ id: unhex(id) })))), x.fingerprint)
  for (const x of v.bounds) {
    const to = x.infinity ? neg.infinity : { second: x.second, prefix: unhex(x.prefix) }
    assert.equal(hex(neg.writeBound({ second: x.previous }, to)), x.bytes)
  }
  for (const x of v.malformed) assert.notEqual(reason(() => neg.readMessage(unhex(x))), '', x)
})

for (const file of ['vectors', 'reference']) {
  test(`06-sync: replies of ${file}.json`, () => {
    for (const [n, v] of load(`internal/reconcile/testdata/${file}.json`).transcripts.entries()) {
      for (let i = 0; i + 1 < v.messages.length; i += 2) {
        const reply = neg.answer(items(v.peer), unhex(v.messages[i]), v.limit ?? 131_072)
        assert.equal(hex(reply), v.messages[i + 1], `transcript ${n}, message ${i}`)
      }
    }
  })
}

// spec: 05-presence M3
test('05-presence: signals', () => {
  for (const v of load('internal/presence/testdata/signals.json')) {
    const [key, network] = [keyOf(unhex(v.seed)), unhex(v.network)]
    const s = {
      time: v.time,
      seq: v.seq,
      interval: v.interval_ms,
      nick: v.nick,
      goodbye: v.goodbye,
      total: v.total,
      rooms: v.rooms.map(r => ({ ...r, heads: r.heads.map(unhex), chains: (r.chains ?? []).map(c => ({ ...c, author: unhex(c.author) })) }))
    }
    assert.equal(hex(writeSignal(key, network, s)), v.envelope, v.comment)
    const got = readSignal(unhex(v.envelope), network)
    assert.equal(hex(got.author), v.author, v.comment)
    assert.equal(hex(writeSignal(key, network, got)), v.envelope, v.comment)
    assert.equal(reason(() => readSignal(unhex(v.envelope), unhex(v.seed))), 'signature')
  }
})

// spec: 05-presence M5
test('05-presence: refused', () => {
  for (const v of load('internal/presence/testdata/refused.json')) {
    assert.equal(reason(() => readSignal(unhex(v.envelope), unhex(v.network))), v.reason, v.comment)
  }
})

// spec: 07-direct M9
test('07-direct: frames', () => {
  for (const v of Object.values(load('internal/direct/testdata/frames.json'))) {
    assert.equal(reason(() => readFrame(unhex(v.frame))) === '', v.valid, v.name)
  }
})

// spec: 01-network M18, M19
test('01-network: record', () => {
  const v = load('node/testdata/record.json')
  const signed = Uint8Array.from(Buffer.from(v.signed_record_base64, 'base64'))
  const r = readRecord(signed, unhex(v.network_id))
  assert.deepEqual(
    [r.name, r.mode, Number(r.sequence), r.epochs.map(Number), Number(r.registrarSet), Number(r.version), Number(r.wireMin), Number(r.wireMax)],
    [v.name, 2, v.sequence, v.epochs, v.registrar_set, v.version, v.wire_min, v.wire_max])
  signed[20] ^= 1
  assert.equal(reason(() => readRecord(signed, unhex(v.network_id))), 'signature')
})

test('01-network: an announcement on the LAN', () => {
  const lines = readFileSync(new URL('../../node/internal/lan/testdata/announcement.hex', import.meta.url), 'utf8').trim().split('\n')
  const packet = unhex(lines.pop())
  const text = lines.join('\n')
  const [[, peer], [, tag]] = [/peer (\w+)/.exec(text), /tag (\w+)/.exec(text)]
  const addrs = [...text.matchAll(/^#\s+(\/.*)$/gm)].map(m => m[1])
  assert.equal(addrs.length, 3)
  assert.deepEqual(readAnnouncement(packet, tag), [{ peer, addrs, goodbye: false }])
  assert.deepEqual(readAnnouncement(packet, 'ffffffff'), [])
  for (let n = 0; n < packet.length; n++) assert.equal(reason(() => readAnnouncement(packet.slice(0, n), tag)), 'form', `cut to ${n}`)
})

// spec: 09-dht M4, M5, M7, M10, M12
test('09-dht: records, rooms, short addresses', () => {
  const v = load('dht/testdata/vectors.json')
  for (const r of v.records) {
    const [key, network] = [keyOf(unhex(r.seed)), unhex(r.network)]
    const addrs = (r.addrs ?? []).map(a => multiaddr(a))
    assert.equal(new TextDecoder().decode(dht.recordKey(key.public)), r.key)
    assert.equal(hex(dht.writeRecord(key, network, { ...r, addrs })), r.value)
    const got = dht.readRecord(dht.recordKey(key.public), unhex(r.value), network, r.made)
    assert.deepEqual([got.made, got.expiry, got.nick, got.zone, got.version, got.addrs.map(String)],
      [r.made, r.expiry, r.nick, r.zone, r.version, r.addrs ?? []])
    assert.equal(reason(() => dht.readRecord(dht.recordKey(key.public), unhex(r.value), network, r.expiry + 1)), 'time')
    assert.equal(reason(() => dht.readRecord(dht.recordKey(key.seed), unhex(r.value), network, r.made)), 'form')
    assert.equal(reason(() => dht.readRecord(dht.recordKey(key.public), unhex(r.value), key.seed, r.made)), 'signature')
  }
  for (const r of v.rooms) assert.equal(dht.roomCid(unhex(r.log)).toString(), r.cid)
  for (const s of v.short_addresses) assert.equal(dht.shortAddress(s.zone, unhex(s.peer)), s.address)
})

// spec: 08-export M1, M4
test('08-export: a whole file, and refused lines', () => {
  const dir = 'internal/exportfile/testdata'
  const r = new ExportReader()
  const lines = readFileSync(new URL(`../../${dir}/export.jsonl`, import.meta.url), 'utf8').split('\n')
  const events = lines.map(l => r.line(l)).filter(e => e != null)
  assert.equal(events.length, 6)
  assert.deepEqual(events.map(e => e.content == null), [false, false, false, false, false, true])
  for (const v of load(`${dir}/refused.json`)) {
    const reader = new ExportReader()
    const all = v.lines.split('\n').filter(l => l !== '')
    const last = all.pop()
    for (const l of all) reason(() => reader.line(l)) // a head that is refused leaves events without one
    assert.equal(reason(() => reader.line(last)), v.reason, v.why)
  }
})

// spec: 10-signals M2
test('10-signals: signals', () => {
  for (const v of load('internal/appsignal/testdata/signals.json')) {
    const [key, network, log] = [keyOf(unhex(v.seed)), unhex(v.network), unhex(v.log)]
    const s = { time: v.time, seq: v.seq, type: v.type, data: unhex(v.data) }
    assert.equal(hex(writeAppSignal(key, network, log, s)), v.envelope, v.comment)
    const got = readAppSignal(unhex(v.envelope), network, log)
    assert.deepEqual([hex(got.author), got.time, Number(got.seq), got.type, hex(got.data)], [v.author, v.time, v.seq, v.type, v.data], v.comment)
    assert.equal(reason(() => readAppSignal(unhex(v.envelope), network, network)), 'signature')
    assert.equal(hex(writeAppFrame(s)), v.frame, v.comment)
    const frame = readAppFrame(unhex(v.frame))
    assert.deepEqual([frame.type, hex(frame.data)], [v.type, v.data], v.comment)
  }
})

// spec: 12-audit M1, M2, M3, M4, M6, M8
test('12-audit: a log, refused lines, a proof', () => {
  const dir = 'internal/audit/testdata'
  const v = load(`${dir}/vectors.json`)
  const text = name => readFileSync(new URL(`../../${dir}/log/${name}`, import.meta.url), 'utf8').trimEnd().split('\n')
  const lines = readdirSync(new URL(`../../${dir}/log`, import.meta.url)).filter(f => f.startsWith('records-')).sort().flatMap(text)
  const notes = ['checkpoints.jsonl', 'cosigned.jsonl'].flatMap(text).map(l => JSON.parse(l))
  const points = verifyAudit(lines.map(ascii), notes)
  const [first, second] = v.registrars.map(r => r.peer_id)
  assert.deepEqual([points.at(-2).size, points.at(-1).size, points.at(-1).signers], [20, 12, [first, second]])
  const leaves = lines.map(l => readAuditRecord(ascii(l)).leaf)
  v.roots.forEach((root, n) => assert.equal(Buffer.from(auditRoot(leaves.slice(0, n))).toString('base64'), root))
  for (const r of v.registrars) assert.deepEqual([hex(auditKey(r.name).key), hex(auditKey(r.name).hash)], [r.public, r.key_hash])
  for (const r of v.records) assert.equal(Buffer.from(readAuditRecord(ascii(r.line)).leaf).toString('base64'), r.leaf)
  for (const r of v.refused) assert.notEqual(reason(() => readAuditRecord(unhex(r.line))), '', r.why)
  const swapped = lines.map(ascii)
  swapped.splice(3, 2, swapped[4], swapped[3])
  assert.equal(reason(() => verifyAudit(swapped, notes)), 'order')
  assert.equal(reason(() => verifyAudit(lines.map(ascii).slice(0, 19), notes)), 'missing')
  assert.equal(reason(() => verifyAudit(lines.map(ascii), [notes[0].replace('\n1\n', '\n2\n')])), 'signature')
  const proof = load(`${dir}/proof.json`)
  assert.equal(checkAuditProof(proof).origin, first)
  assert.equal(reason(() => checkAuditProof({ ...proof, hashes: proof.hashes.slice(1) })), 'proof')
})
