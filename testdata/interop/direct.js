// Direct chats: 07-direct. Sealed streams, and which of them a pair keeps.

import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { Chat } from './chat.js'
import { ascii, compare, equal, hex, join, utf8 } from './bytes.js'
import * as fetch from './fetch.js'
import { authorOf, frames, peerOf, within } from './host.js'
import { Refused } from './proto.js'
import * as sync from './sync.js'

const maxFirst = 16
const handshakeTime = 10_000
const firstPause = 500
const longestPause = 300_000

export class Direct {
  constructor (client) {
    this.client = client
    this.chats = new Map() // hex author to { chat, session, timer, failures }
  }

  async start () {
    const { host, network, key, admission } = this.client
    this.protocol = network.protocol('direct')
    this.seal = noise({ prologueBytes: join('parley/direct/1', network.id) })({
      peerId: host.peerId,
      privateKey: privateKeyFromRaw(join(key.seed, key.public)),
      logger: host.logger
    })
    await admission.serve(this.protocol, (stream, peer) => this.#accept(stream, peer))
  }

  stop () {
    for (const pair of this.chats.values()) clearTimeout(pair.timer)
    this.stopped = true
  }

  /** Writes texts to an author; they go now, or when he comes. Returns ids. */
  async send (author, texts) {
    const pair = this.#pair(author)
    const events = pair.chat.write(texts)
    this.#connect(pair, 0)
    return events.map(e => hex(e.id))
  }

  /** Opens a stream while another may run, which is what becomes of two that are opened at one moment. */
  async cross (author) {
    const pair = this.#pair(author)
    const stream = await this.#open(author, 'chat')
    this.#run(pair, stream, true).catch(() => {}) // it may be the one that goes
  }

  history (author) {
    return this.#pair(author).chat.history()
  }

  /** Tells that a person was shown all that an author wrote. */
  read (author) {
    return this.#pair(author).chat.read()
  }

  /** A peer was admitted: go on with a chat that there is; the higher key leaves the other a second. */
  met (peer) {
    const pair = this.chats.get(hex(authorOf(peer)))
    if (pair == null) return
    pair.failures = 0
    this.#connect(pair, compare(this.client.key.public, pair.chat.other) < 0 ? 0 : 1000)
  }

  #pair (author) {
    const id = hex(author)
    if (!this.chats.has(id)) {
      const chat = new Chat(this.client, author, ids => this.#fetch(author, ids))
      this.chats.set(id, { chat, failures: 0 })
    }
    return this.chats.get(id)
  }

  #connect (pair, ms) {
    clearTimeout(pair.timer)
    if (this.stopped || pair.session != null || !this.client.admission.has(peerOf(pair.chat.other))) return
    pair.timer = setTimeout(async () => {
      if (pair.session != null) return
      try {
        await this.#run(pair, await this.#open(pair.chat.other, 'chat'), true)
      } catch (err) {
        if (this.stopped) return
        this.client.tell({ event: 'chat-ended', author: hex(pair.chat.other), why: err.message })
        this.#connect(pair, Math.min(firstPause * 2 ** pair.failures++, longestPause))
      }
    }, ms)
  }

  /** Opens a sealed stream and says what it is for. */
  async #open (author, what) {
    const peer = peerOf(author)
    const stream = await this.client.admission.open(peer, this.protocol)
    try {
      const { connection } = await this.seal.secureOutbound(stream, { remotePeer: peer, skipStreamMuxerNegotiation: true, ...within(handshakeTime) })
      const f = frames(connection, maxFirst)
      await f.write(ascii(what))
      return f.unwrap()
    } catch (err) {
      stream.abort(err)
      throw err
    }
  }

  async #accept (stream, peer) {
    const { connection } = await this.seal.secureInbound(stream, { remotePeer: peer, skipStreamMuxerNegotiation: true, ...within(handshakeTime) })
    const f = frames(connection, maxFirst)
    const what = utf8(await f.read(handshakeTime))
    const sealed = f.unwrap()
    const pair = this.#pair(authorOf(peer))
    const logOf = id => equal(id, pair.chat.log.id) ? pair.chat.log : null
    if (what === 'chat') return this.#run(pair, sealed, false)
    if (what === 'fetch') return fetch.serve(sealed, logOf)
    if (what === 'sync') return sync.serve(sealed, logOf)
    throw new Refused('form', 'first frame')
  }

  // §3: of two streams one stays. Runs a stream until it ends.
  async #run (pair, stream, ours) {
    const old = pair.session
    if (old != null) {
      const lowerIsOurs = compare(this.client.key.public, pair.chat.other) < 0
      const stays = old.ours === ours || ours === lowerIsOurs
      if (!stays) return stream.abort(new Error('another stream stays'))
      old.stream.abort(new Error('a later stream stays'))
    }
    const session = { stream, ours }
    pair.session = session
    this.client.tell({ event: 'chat', with: hex(pair.chat.other), ours })
    try {
      await pair.chat.run(stream, () => pair.session === session)
    } catch (err) {
      stream.abort(err)
      throw err
    } finally {
      if (pair.session === session) pair.session = null
    }
  }

  async #fetch (author, ids) {
    const { log } = this.#pair(author).chat
    const stream = await this.#open(author, 'fetch')
    const batches = await fetch.ask(stream, log.id, ids.slice(0, 64))
    await stream.close()
    return batches
  }
}
