/** A mounted volume, as `edgemount mount` makes it: programs find there what POSIX says, as on a local disk, however it is written and published meanwhile. */
import { testPosix } from '../suites/posix.ts'
import { WritableMount } from '../support/writable-mount.ts'

function testMount(name: string, ...flags: string[]): void {
  testPosix(name, async () => {
    const mount = await WritableMount.create('posix', ['--allow-other', ...flags])
    return { directory: mount.folder, isNotOn: mount.directory, dispose: () => mount.dispose() }
  })
}

testMount('a mounted volume')
testMount('a mounted volume whose every byte goes through edgemount', '--passthrough', 'off')
testMount('a mounted volume that publishes all the time', '--write-back-delay', '20ms')
