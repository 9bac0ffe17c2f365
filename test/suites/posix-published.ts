/**
 * What programs may do with files that are published already and not on this machine, and what is left of it when the mount has ended and begun again:
 * cases on prepared trees. `settle` has everything published, forgotten here, and shown again; on a local directory it does nothing, which makes that the oracle.
 */
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PosixAgent } from '../support/posix-client.ts'
import { Script } from '../support/posix-script.ts'
import type { Case } from './posix/cases.ts'
import { prepare, publishedCases } from './posix/published.ts'

export interface PublishedTarget {
  readonly directory: string
  readonly settle: () => Promise<void>
  readonly dispose: () => Promise<void>
}

export function testPublished(name: string, open: () => Promise<PublishedTarget>): void {
  describe(`published files: ${name}`, () => {
    let target: PublishedTarget
    let agents: CaseAgents
    const trees = new Map<string, readonly string[]>()
    const cases = Object.entries(publishedCases)
    beforeAll(async () => {
      target = await open()
      agents = new CaseAgents(target.directory)
      const keeper = await agents.at('keeper', '.')
      for (const [index] of cases.entries()) {
        await keeper.call('mkdir', `case-${index}`, 0o755)
        await agents.run(`case-${index}`, prepare)
      }
      await agents.stop()
      await target.settle()
    })
    afterAll(async () => {
      await agents.stop()
      await target.dispose()
    })

    test.each(cases)('%s', async (what, run) => {
      const place = `case-${cases.findIndex(([name]) => name === what)}`
      try {
        await agents.run(place, run)
      } finally {
        const { names } = await (await agents.at('keeper', '.')).call('describeTree', place)
        trees.set(what, names!)
      }
    })

    test('everything that was done is there when the mount has ended and begun again', async () => {
      await agents.stop()
      await target.settle()
      const keeper = await agents.at('keeper', '.')
      for (const [index, [what]] of cases.entries()) {
        const { names } = await keeper.call('describeTree', `case-${index}`)
        expect([what, ...names!]).toEqual([what, ...trees.get(what)!])
      }
    })
  })
}

/** Agents that go from case to case, until `stop`: a mount with somebody in it does not end. */
class CaseAgents {
  readonly #directory: string
  readonly #agents = new Map<string, PosixAgent>()
  readonly #places = new Map<string, string>()

  constructor(directory: string) {
    this.#directory = directory
  }

  async at(name: string, place: string): Promise<PosixAgent> {
    const agent = this.#agents.get(name) ?? (await PosixAgent.start({ directory: this.#directory }))
    this.#agents.set(name, agent)
    if (this.#places.get(name) !== place) await agent.call('chdir', path.join(this.#directory, place))
    this.#places.set(name, place)
    return agent
  }

  async run(place: string, run: Case): Promise<void> {
    const used = new Set<PosixAgent>()
    const script = new Script(async (name) => {
      const agent = await this.at(name, place)
      used.add(agent)
      return agent
    })
    try {
      await run(script)
      await script.run()
      script.finish()
    } finally {
      for (const agent of used) await agent.run([], { clears: true })
    }
  }

  async stop(): Promise<void> {
    for (const agent of this.#agents.values()) await agent.stop()
    this.#agents.clear()
    this.#places.clear()
  }
}
