import { MemoryStore } from '../../../edge/store/memory.ts'
import { testStore } from '../../suites/store.ts'

testStore('memory', async () => ({ store: new MemoryStore() }))
