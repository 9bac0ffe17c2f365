import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DirectoryStore } from '../../../edge/store/directory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { systemRandom } from '../../../shared/random.ts'
import { testLeases } from '../../suites/leases.ts'
import { type StoreUnderTest, testStore } from '../../suites/store.ts'

const open = async (): Promise<StoreUnderTest> => {
  const root = await mkdtemp(path.join(tmpdir(), 'edgemount-test-'))
  const store = new DirectoryStore(root, { clock: systemClock, random: systemRandom })
  await store.start()
  const dispose = async (): Promise<void> => {
    await store.dispose()
    await rm(root, { recursive: true, force: true })
  }
  return { store, dispose }
}

testStore('directory', open)
testLeases('directory', open)
