// A log as this client holds it, in memory: what is in it, what is missing, where it stands.

import { equal, hex } from './bytes.js'
import { byTime } from './events.js'

export class Log {
  constructor (id) {
    this.id = id
    this.events = new Map() // hex id to { event, batch }
    this.missing = new Map() // hex id of a parent that is not there to its bytes
    this.children = new Set() // hex ids that are a parent of something
    this.chains = new Map() // hex author to his event with the highest seq
  }

  /** Takes in a verified batch of this log; returns its events that are new. */
  add (batch) {
    if (batch.events.some(e => !equal(e.log, this.id))) throw new Error('an event of another log')
    const fresh = batch.events.filter(e => !this.events.has(hex(e.id)))
    for (const e of fresh) {
      this.events.set(hex(e.id), { event: e, batch })
      this.missing.delete(hex(e.id))
    }
    for (const e of fresh) {
      for (const p of e.parents) {
        this.children.add(hex(p))
        if (!this.events.has(hex(p))) this.missing.set(hex(p), p)
      }
      const author = hex(e.author)
      if ((this.chains.get(author)?.seq ?? 0n) < e.seq) this.chains.set(author, e)
    }
    return fresh
  }

  has (id) {
    return this.events.has(hex(id))
  }

  get complete () {
    return this.missing.size === 0
  }

  /** The events in the order of the history. */
  history () {
    return [...this.events.values()].map(e => e.event).sort(byTime)
  }

  /** Events that no event here has as a parent, newest first. */
  heads () {
    return this.history().filter(e => !this.children.has(hex(e.id))).reverse()
  }

  last (author) {
    return this.chains.get(hex(author)) ?? null
  }
}
