// Bytes, hashes and Ed25519, as 03-events §1.1 and §6.2 write them.

import { createHash, createPrivateKey, createPublicKey, randomBytes, sign as edSign, verify as edVerify } from 'node:crypto'

export const random = n => new Uint8Array(randomBytes(n))
export const ascii = text => new TextEncoder().encode(text)
export const hex = bytes => Buffer.from(bytes).toString('hex')
export const unhex = text => new Uint8Array(Buffer.from(text, 'hex'))
export const equal = (a, b) => Buffer.compare(a, b) === 0
export const compare = (a, b) => Buffer.compare(a, b)

/** Joins byte strings; a text stands for its ASCII bytes. */
export function join (...parts) {
  return new Uint8Array(Buffer.concat(parts.map(p => typeof p === 'string' ? ascii(p) : p)))
}

export function sha256 (...parts) {
  return new Uint8Array(createHash('sha256').update(join(...parts)).digest())
}

export function u32 (n) {
  const b = Buffer.alloc(4)
  b.writeUInt32BE(n)
  return new Uint8Array(b)
}

export function u64 (n) {
  const b = Buffer.alloc(8)
  b.writeBigUInt64BE(BigInt(n))
  return new Uint8Array(b)
}

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

const pkcs8 = unhex('302e020100300506032b657004220420') // RFC 8410, before the seed

/** The key of an author: { seed, public, sign(bytes) }. */
export function keyOf (seed) {
  const key = createPrivateKey({ key: Buffer.from(join(pkcs8, seed)), format: 'der', type: 'pkcs8' })
  const pub = unhex(Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x, 'base64url').toString('hex'))
  return { seed, public: pub, sign: bytes => new Uint8Array(edSign(null, bytes, key)) }
}

/** The rule of 03-events §6.2, which OpenSSL's verification keeps: ed25519.json shows it. */
export function verify (author, bytes, signature) {
  if (author.length !== 32 || signature.length !== 64) return false
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(author).toString('base64url') }, format: 'jwk' })
    return edVerify(null, bytes, key, signature)
  } catch {
    return false
  }
}
