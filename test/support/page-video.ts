/** A video in a page of a browser: what tests give to `page.evaluate`, which takes nothing along but the function itself. */

export interface Frame {
  readonly time: number
  readonly bright: number
}

/** In the page: plays a little, then goes to each time. */
export async function watch({ address, times }: { address: string; times: readonly number[] }): Promise<Frame[]> {
  const video = document.createElement('video')
  video.muted = true
  video.crossOrigin = 'anonymous'
  document.body.replaceChildren(video)
  const until = (event: string): Promise<void> =>
    new Promise((resolve, reject) => {
      video.addEventListener(event, () => resolve(), { once: true })
      video.addEventListener('error', () => reject(new Error(`The video: ${video.error?.message}`)), { once: true })
      setTimeout(() => reject(new Error(`The video has no ${event} in time`)), 15_000)
    })
  const frame = (): Frame => {
    const context = new OffscreenCanvas(240, 240).getContext('2d')!
    context.drawImage(video, 0, 0)
    return { time: video.currentTime, bright: context.getImageData(60, 120, 1, 1).data[0]! }
  }
  const isReady = until('canplay')
  video.src = address
  await isReady
  await video.play()
  while (video.currentTime < 0.3) await until('timeupdate')
  video.pause()
  const frames = [frame()]
  for (const time of times) {
    // The clock is there before the picture, on a busy machine by a moment.
    const isShown = new Promise<void>((resolve) => {
      video.requestVideoFrameCallback(() => resolve())
    })
    const isThere = until('seeked')
    video.currentTime = time
    await Promise.all([isThere, isShown])
    frames.push(frame())
  }
  return frames
}
