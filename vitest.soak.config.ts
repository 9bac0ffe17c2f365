import { defineConfig } from 'vitest/config'

/** The longer runs: a mount under everything at once, and the property tests with many more seeds. Before a release, not on every change. */
export default defineConfig({
  test: {
    include: ['test/soak/**/*.test.ts', 'test/model/**/*.test.ts', 'test/shared/volume/{concurrent-commits,rewrite}.test.ts', 'test/e2e/programs.test.ts', 'test/runtime/worker-memory.test.ts', 'test/edge/{faults,fuzz,publish,upload}.test.ts'],
    env: { EDGEMOUNT_EFFORT: '10' },
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
    pool: 'forks',
    maxWorkers: 1,
  },
})
