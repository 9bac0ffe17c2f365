/**
 * What programs expect of a POSIX file system on Linux, as cases that run in any directory: a local ext4 (the oracle) or a mount. `testPosix` runs
 * them; who asks is the process of `posix-agent.ts`, so a mount that hangs fails cases and hangs nobody.
 */
import path from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { PosixAgent } from '../support/posix-client.ts'
import { Script } from '../support/posix-script.ts'
import type { Cases } from './posix/cases.ts'
import { chmodCases } from './posix/chmod.ts'
import { chownCases } from './posix/chown.ts'
import { linkCases } from './posix/link.ts'
import { openCases } from './posix/open.ts'
import { symlinkCases } from './posix/symlink.ts'
import { renameCases } from './posix/rename.ts'
import { stickyCases } from './posix/sticky.ts'
import { removeCases } from './posix/remove.ts'
import { sizeCases } from './posix/size.ts'
import { timeCases } from './posix/times.ts'
import { tmpfileCases } from './posix/tmpfile.ts'
import { xattrCases } from './posix/xattr.ts'
import { aclCases } from './posix/acl.ts'
import { lockCases } from './posix/locks.ts'
import { mappingCases } from './posix/mapping.ts'
import { dataCases } from './posix/data.ts'
import { directoryCases } from './posix/directory.ts'
import { mountCases } from './posix/mounts.ts'
import { createCases } from './posix/create.ts'
import { pathErrorCases } from './posix/path-errors.ts'
import { permissionCases } from './posix/permissions.ts'

export const posixCases: Readonly<Record<string, Cases>> = {
  'errors of paths': pathErrorCases,
  permissions: permissionCases,
  'new files': createCases,
  chmod: chmodCases,
  symlink: symlinkCases,
  open: openCases,
  link: linkCases,
  chown: chownCases,
  rename: renameCases,
  'sticky directories': stickyCases,
  'unlink and rmdir': removeCases,
  sizes: sizeCases,
  times: timeCases,
  O_TMPFILE: tmpfileCases,
  'extended attributes': xattrCases,
  ACLs: aclCases,
  locks: lockCases,
  mappings: mappingCases,
  bytes: dataCases,
  directories: directoryCases,
  'other mounts': mountCases,
}

export interface PosixTarget {
  /** An empty directory, or one in which the cases may work; root owns it. */
  readonly directory: string
  /** A path on another file system: for a directory that is a mount, which the cases must not miss. */
  readonly isNotOn?: string
  readonly dispose?: () => Promise<void>
}

/** `without`: cases that are known not to hold there, by name, each with the reason. */
export function testPosix(name: string, open: () => Promise<PosixTarget>, without: Readonly<Record<string, string>> = {}): void {
  const unknown = Object.keys(without).filter((what) => !Object.values(posixCases).some((cases) => what in cases))
  if (unknown.length > 0) throw new Error(`There is no case "${unknown[0]}" to leave out`)
  describe(`POSIX: ${name}`, () => {
    const bed = new PosixBed()
    beforeAll(async () => bed.open(await open()))
    afterAll(() => bed.close())
    describe.each(Object.entries(posixCases))('%s', (_, cases) => {
      test.each(Object.entries(cases).filter(([what]) => !(what in without)))('%s', (_what, run) => bed.run(run))
    })
  })
}

/** The agents of a target, and a directory of its own for each case. */
class PosixBed {
  readonly #agents = new Map<string, Promise<PosixAgent>>()
  #target: PosixTarget | undefined
  #device = ''
  #caseCount = 0

  async open(target: PosixTarget): Promise<void> {
    this.#target = target
    const { stat } = await (await this.#agent('keeper', target.directory)).call('lstat', '.')
    this.#device = stat!.device
    if (target.isNotOn === undefined) return
    const elsewhere = await (await this.#agent('keeper', target.directory)).call('lstat', target.isNotOn)
    if (elsewhere.stat!.device === this.#device) throw new Error(`Nothing is mounted at "${target.directory}"`)
  }

  async run(run: (script: Script) => void | Promise<void>): Promise<void> {
    this.#caseCount += 1
    const { directory } = this.#target!
    const name = `case-${this.#caseCount}`
    const keeper = await this.#agent('keeper', directory)
    await keeper.call('mkdir', name, 0o755)
    const { stat } = await keeper.call('lstat', path.join(directory, name))
    if (stat!.device !== this.#device) throw new Error(`What was mounted at "${directory}" is gone`)
    const place = path.join(directory, name)
    const used = new Set<PosixAgent>()
    const script = new Script(async (agentName) => {
      const agent = await this.#agent(agentName, place)
      if (!used.has(agent)) await agent.call('chdir', place)
      used.add(agent)
      return agent
    })
    try {
      await run(script)
      await script.run()
      script.finish()
    } finally {
      for (const agent of used) await agent.run([{ call: ['chdir', '/'] }], { clears: true }).catch(() => undefined)
      await keeper.call('removeTree', name)
    }
  }

  async close(): Promise<void> {
    for (const agent of this.#agents.values()) await agent.then((agent) => agent.stop()).catch(() => undefined)
    await this.#target?.dispose?.()
  }

  #agent(name: string, directory: string): Promise<PosixAgent> {
    const known = this.#agents.get(name)
    if (known !== undefined) return known
    const agent = PosixAgent.start({ directory })
    this.#agents.set(name, agent)
    // One that ended, by a case or by a deadline, is not asked again: the next case starts another.
    const forget = (): boolean => this.#agents.delete(name)
    void agent.then(({ ended }) => ended.then(forget), forget)
    return agent
  }
}
