/**
 * Whatever happens to a folder: after an import with `isDelete` the volume is what the folder is, and a further import finds nothing to do.
 */
import { appendFileSync, chmodSync, existsSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ImportBed } from './import-bed.ts'

/** Few names, so that steps meet each other. */
const name = fc.constantFrom('a', 'b', 'c', 'é')
const path = fc.oneof({ weight: 3, arbitrary: name }, { weight: 1, arbitrary: fc.tuple(name, name).map((names) => names.join('/')) })
/** Inline, one chunk, and one chunk again. */
const bytes = fc.constantFrom(0, 5, 5000, 70_000)
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('write' as const), path, bytes }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('append' as const), path, bytes }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('link' as const), path, to: path }) },
  fc.record({ op: fc.constant('mkdir' as const), path }),
  fc.record({ op: fc.constant('remove' as const), path }),
  fc.record({ op: fc.constant('rename' as const), path, to: path }),
  fc.record({ op: fc.constant('symlink' as const), path, to: path }),
  fc.record({ op: fc.constant('chmod' as const), path, mode: fc.constantFrom(0o700, 0o755, 0o644, 0o600) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Equal sizes have equal content, since an import takes two files of one size, written within one tick of the kernel's clock, for the same. */
function bodyOf(action: { readonly bytes: number }): string {
  return 'x'.repeat(action.bytes)
}

/** What the disk refuses (a folder in the way, nothing there) does not happen. */
function perform(bed: ImportBed, action: Step): void {
  const file = bed.at(action.path)
  try {
    switch (action.op) {
      case 'write':
        // A new file, so that names which were one file come apart.
        if (existsSync(file) && !lstatSync(file).isDirectory()) rmSync(file)
        return writeFileSync(file, bodyOf(action))
      case 'append':
        return lstatSync(file).isFile() ? appendFileSync(file, bodyOf(action)) : undefined
      case 'mkdir':
        return void mkdirSync(file, { recursive: true })
      case 'remove':
        return rmSync(file, { recursive: true })
      case 'rename':
        return renameSync(file, bed.at(action.to))
      case 'link':
        return lstatSync(file).isFile() ? linkSync(file, bed.at(action.to)) : undefined
      case 'symlink':
        return symlinkSync(action.to, file)
      case 'chmod':
        return lstatSync(file).isSymbolicLink() ? undefined : chmodSync(file, action.mode)
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
  }
}

test('an import mirrors the folder, and only once', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 14 }), { minLength: 2, maxLength: 4 }), async (rounds) => {
      const bed = await ImportBed.make()
      writeFileSync(bed.at('a'), bodyOf({ bytes: 9 }))
      linkSync(bed.at('a'), bed.at('b'))
      linkSync(bed.at('a'), bed.at('c'))
      for (const steps of rounds) {
        for (const action of steps) perform(bed, action)
        await bed.import()
        expect(await bed.volumeTree()).toEqual(bed.folderTree())
        expect((await bed.import()).operationCount).toBe(0)
      }
    }),
    { numRuns: 150 },
  )
})
