import { defineConfig } from 'vitest/config'

/** The longer runs: many seeds, big trees, long fault storms. Run before a release, not on every change. */
export default defineConfig({
  test: {
    include: ['test/soak/**/*.test.ts'],
    testTimeout: 1_800_000,
    hookTimeout: 600_000,
    pool: 'forks',
    maxWorkers: 1,
  },
})
