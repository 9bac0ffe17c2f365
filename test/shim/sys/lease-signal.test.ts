import { expect, test } from 'vitest'
import { run } from '../../support/run-program.ts'

const module = new URL('../../../shim/sys/lease-signal.ts', import.meta.url).href
const script = (prepare: string): string => `${prepare}; process.kill(process.pid, 'SIGIO'); setTimeout(() => console.log('alive'), 50)`

test('SIGIO ends a process, but not one that ignores lease breaks', async () => {
  const plain = await run(process.execPath, '--input-type=module', '-e', script(''))
  expect(plain.out).toBe('')
  const guarded = await run(process.execPath, '--input-type=module', '-e', script(`(await import('${module}')).ignoreLeaseBreaks()`))
  expect(guarded).toMatchObject({ code: 0, out: 'alive\n' })
})
