/**
 * What a mount promises on demand: `--durability cloud`, `--coherence strict`, and that a mount which was killed or left goes on where it was.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MountBed } from '../support/mount-bed.ts'
import { type Output, python, run } from '../support/run-program.ts'
import { textOf } from '../support/test-volume.ts'

let bed: MountBed

beforeEach(async () => {
  bed = await MountBed.make()
})

afterEach(async () => {
  await bed.remove()
})

function ok({ code, complaint, out }: Output): string {
  expect([code, complaint.slice(0, 2000)]).toEqual([0, ''])
  return out
}

const never = { writeBackDelayMs: 600_000 } as const

describe('durability cloud', () => {
  test('what was synced or closed is in the volume', async () => {
    await bed.mount({ ...never, durability: 'cloud' })
    ok(await bed.sh('mkdir {}/d && echo closed > {}/d/closed'))
    expect(await textOf(await bed.volume.head(), '/d/closed')).toBe('closed\n')
    ok(await run('sh', '-c', `exec 3> ${bed.mountPoint}/open; printf synced >&3; sync ${bed.mountPoint}/open; printf more >&3; cat ${bed.mountPoint}/open; exec 3>&-`))
    expect(await textOf(await bed.volume.head(), '/open')).toBe('syncedmore')
  })

  test('while the store is away fsync fails in time, nothing is lost, and later it arrives', async () => {
    const daemon = await bed.mount({ ...never, durability: 'cloud', deadlineMs: 700 })
    bed.plan = () => ({ kind: 'error' })
    const synced = await python('import os,sys\nf=os.open(sys.argv[1],os.O_CREAT|os.O_WRONLY)\nos.write(f,b"kept")\ntry: os.fsync(f)\nexcept OSError as e: print(e.errno)', `${bed.mountPoint}/f`)
    expect(synced.out).toBe('5\n')
    expect(ok(await bed.sh('cat {}/f'))).toBe('kept')
    bed.plan = () => undefined
    await daemon.flush({ waitMs: 20_000 })
    expect(await textOf(await bed.volume.head(), '/f')).toBe('kept')
  })
})

describe('coherence strict', () => {
  test('an open sees what another mount has published, at once', async () => {
    const strict = { coherence: 'strict', durability: 'cloud', pollMs: 60_000 } as const
    await bed.mount({ ...strict, ...never })
    await bed.mount({ ...strict, ...never })
    ok(await bed.sh('echo 0 > {}/f', 1))
    for (let round = 1; round <= 5; round += 1) {
      ok(await bed.sh(`echo ${round} > {}/f`, round % 2 === 0 ? 1 : 2))
      expect(ok(await bed.sh('cat {}/f', round % 2 === 0 ? 2 : 1))).toBe(`${round}\n`)
    }
  })

  test('of many who make a name exclusively on two mounts one alone has made it', async () => {
    const strict = { coherence: 'strict', writeBackDelayMs: 200 } as const
    await Promise.all([bed.mount(strict), bed.mount(strict)])
    const script = 'import os,sys\nfor i in range(8):\n  try: os.close(os.open(sys.argv[1]+"/lock-%d"%i,os.O_CREAT|os.O_EXCL|os.O_WRONLY)); print(i)\n  except FileExistsError: pass'
    const made = await Promise.all([1, 2, 1, 2].map((number) => python(script, bed.mountPointOf(number))))
    const winners = made.flatMap((output) => ok(output).trim().split('\n').filter((line) => line !== ''))
    expect(winners.map(Number).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })
})
