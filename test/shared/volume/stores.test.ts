import path from 'node:path'
import { DirectoryStore } from '../../../edge/store/directory.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { systemRandom } from '../../../shared/random.ts'
import { testVolumeOver } from '../../suites/volume.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

testVolumeOver('memory', async () => {
  const store = new MemoryStore()
  return async () => store
})

testVolumeOver('a directory', async () => {
  const root = path.join(await tempDirectory(), 'store')
  return async () => new DirectoryStore(root, { clock: systemClock, random: systemRandom })
})
