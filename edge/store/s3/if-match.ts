/**
 * How a server wants the tag of `If-Match`: in quotes, as RFC 9110 has it and AWS, R2 and MinIO take it, or bare, as Ceph up to 17 compares it. Called by the S3 store.
 *
 * INVARIANT: a form is used on an object only after it was seen, on one of no worth, that a wrong tag in this form is refused: a server that does not look at what
 * it does not understand would write over the object.
 */
import { EdgemountError } from '../../../shared/error.ts'

export interface ScratchObject {
  /** The new tag, or why it was not written. */
  write(body: Uint8Array, condition: { IfMatch?: string }): Promise<{ readonly etag: string } | 'refused' | 'conflict'>
  remove(): Promise<void>
}

export class IfMatch {
  #isBare = false

  /** True for a server that was seen to want it so: Ceph. */
  get isBare(): boolean {
    return this.#isBare
  }

  textOf(etag: string): string {
    return this.#isBare ? bare(etag) : etag
  }

  /**
   * For a tag that the object has and the server refused. True when another form is used from now on; false when this one is right, and the object had another tag
   * for a moment. Throws `unsupported` for a server that takes no form.
   */
  async learn(scratch: ScratchObject): Promise<boolean> {
    if (this.#isBare) return false
    try {
      const first = await scratch.write(Uint8Array.of(1), {})
      if (typeof first === 'string') return false
      const quoted = await scratch.write(Uint8Array.of(2), { IfMatch: first.etag })
      if (quoted !== 'refused') return false
      if (bare(first.etag) === first.etag) throw refuses('takes no If-Match')
      const wrong = await scratch.write(Uint8Array.of(3), { IfMatch: otherTag(bare(first.etag)) })
      if (wrong !== 'refused') throw refuses('takes an If-Match without quotes and does not look at it')
      const right = await scratch.write(Uint8Array.of(4), { IfMatch: bare(first.etag) })
      if (right === 'refused') throw refuses('takes no If-Match, with quotes or without')
      this.#isBare = right !== 'conflict'
      return true
    } finally {
      await scratch.remove().catch(() => undefined)
    }
  }
}

function bare(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1')
}

/** As long, and another one. */
function otherTag(etag: string): string {
  return etag.replace(/[0-9a-f]/gi, (digit) => (digit === '0' ? '1' : '0'))
}

function refuses(why: string): EdgemountError {
  return new EdgemountError('unsupported', `Cannot replace objects in this store: the server ${why}, and leases need it`)
}
