import { MemoryStore } from '../../../edge/store/memory.ts'
import { testLeases } from '../../suites/leases.ts'
import { testStore } from '../../suites/store.ts'

testStore('memory', async () => ({ store: new MemoryStore() }))
testLeases('memory', async () => ({ store: new MemoryStore() }))
