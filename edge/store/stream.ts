/**
 * Bodies as streams, for the stores and decorators that make or change them.
 */

/** A stream of bytes that are in memory already; nothing at all when there are none. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => {
      if (bytes.length > 0) controller.enqueue(bytes)
      controller.close()
    },
  })
}
