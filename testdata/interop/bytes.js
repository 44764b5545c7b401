// Bytes, hashes and Ed25519, as 03-events §1.1 and §6.2 write them. Runs in Node.js and in pages.

import { ed25519 } from '@noble/curves/ed25519.js'
import { bytesToNumberLE } from '@noble/curves/utils.js'
import { sha256 as sha, sha512 } from '@noble/hashes/sha2.js'

export const random = n => crypto.getRandomValues(new Uint8Array(n))
export const ascii = text => new TextEncoder().encode(text)

const digits = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

export function hex (bytes) {
  let text = ''
  for (const b of bytes) text += digits[b]
  return text
}

export function unhex (text) {
  return Uint8Array.from({ length: text.length >> 1 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

export const equal = (a, b) => compare(a, b) === 0

/** Compares byte by byte; what is the beginning of the other comes first. */
export function compare (a, b) {
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1
  return Math.sign(a.length - b.length)
}

/** Joins byte strings; a text stands for its ASCII bytes. */
export function join (...parts) {
  const all = parts.map(p => typeof p === 'string' ? ascii(p) : p)
  const out = new Uint8Array(all.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of all) {
    out.set(p, at)
    at += p.length
  }
  return out
}

export const sha256 = (...parts) => sha(join(...parts))

export function u32 (n) {
  const b = new Uint8Array(4)
  new DataView(b.buffer).setUint32(0, n)
  return b
}

export function u64 (n) {
  const b = new Uint8Array(8)
  new DataView(b.buffer).setBigUint64(0, BigInt(n))
  return b
}

/** The number that u64 writes. */
export const readU64 = b => new DataView(b.buffer, b.byteOffset).getBigUint64(0)

/** Splits bytes into pieces of n; null if a piece is left over. */
export function pieces (bytes, n) {
  if (bytes.length % n !== 0) return null
  const out = []
  for (let i = 0; i < bytes.length; i += n) out.push(bytes.slice(i, i + n))
  return out
}

/** A text of well-formed UTF-8; null otherwise. */
export function utf8 (bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

/** The key of an author: { seed, public, sign(bytes) }. */
export function keyOf (seed) {
  return { seed, public: ed25519.getPublicKey(seed), sign: bytes => ed25519.sign(bytes, seed) }
}

/**
 * The rule of 03-events §6.2, which is neither of those that the library has: S is below the order, a key may be
 * written in any way, and S·B − h·A, written in the only way, is R byte for byte.
 */
export function verify (author, bytes, signature) {
  if (author.length !== 32 || signature.length !== 64) return false
  const { Point } = ed25519
  const order = Point.Fn.ORDER
  const s = bytesToNumberLE(signature.slice(32))
  if (s >= order) return false
  let a
  try {
    a = Point.fromBytes(author, true)
  } catch {
    return false
  }
  const r = signature.slice(0, 32)
  const h = bytesToNumberLE(sha512(join(r, author, bytes))) % order
  const point = Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(h))
  return equal(point.toBytes(), r)
}
