/** Directories: what is listed, while they change too; names of any bytes; counts and times. */
import { O, SEEK } from '../../support/posix-calls.ts'
import type { Noted, Script } from '../../support/posix-script.ts'
import { type Cases, alice, bob, kinds } from './cases.ts'

type Listed = readonly (readonly [name: string, kind: number, offset: number])[]

function listed(noted: Noted): Listed {
  return JSON.parse(noted.data)
}

/** Reads on to the end, in small pieces. */
async function readAll(script: Script, fd: string, bytes = 2000): Promise<string[]> {
  const names: string[] = []
  for (;;) {
    const piece = script.ok('getdents', fd, bytes)
    await script.run()
    if (piece.names.length === 0) return names
    names.push(...piece.names)
  }
}

function fill(script: Script, directory: string, count: number): string[] {
  script.ok('mkdir', directory, 0o755)
  const names = Array.from({ length: count }, (_, index) => `name-${String(index).padStart(5, '0')}`)
  for (const name of names) script.ok('create', `${directory}/${name}`, 0o644)
  return names
}

const typeNumbers = { fifo: 1, char: 2, directory: 4, block: 6, regular: 8, symlink: 10, socket: 12 } as const

export const directoryCases: Cases = {
  'every name is listed once, with its kind, and . and ..': (script) => {
    for (const kind of kinds) script.make(kind, kind)
    script.ok('open', '.', O.RDONLY | O.DIRECTORY, 0, 'd')
    const found = script.ok('getdents', 'd')
    script.check('names and kinds are right', () => {
      const wanted = [...kinds.map((kind) => [kind, typeNumbers[kind]] as const), ['.', 4] as const, ['..', 4] as const].map(([name, kind]) => `${name} ${kind}`).toSorted()
      return JSON.stringify(listed(found).map(([name, kind]) => `${name} ${kind}`).toSorted()) === JSON.stringify(wanted)
    })
    script.returns(0, 'getdents', 'd')
    script.ok('lseek', 'd', 0, SEEK.SET)
    const again = script.ok('getdents', 'd')
    script.check('rewound, it is the same', () => JSON.stringify(again.names) === JSON.stringify(found.names))
  },

  'thousands of names, read in small pieces': async (script) => {
    const names = fill(script, 'd', 3000)
    script.lists(names, 'list', 'd')
    script.ok('open', 'd', O.DIRECTORY, 0, 'd')
    const found = await readAll(script, 'd')
    script.check('each is there once', () => JSON.stringify(found.toSorted()) === JSON.stringify(['.', '..', ...names]))
    script.ok('removeTree', 'd')
    script.gone('d')
  },

  'names that are removed while it is read: the others are listed, each once': async (script) => {
    const names = fill(script, 'd', 1500)
    script.ok('open', 'd', O.DIRECTORY, 0, 'd')
    const seen: string[] = []
    for (;;) {
      const piece = script.ok('getdents', 'd', 3000)
      await script.run()
      const found = piece.names.filter((name) => name !== '.' && name !== '..')
      if (piece.names.length === 0) break
      for (const name of found) script.ok('unlink', `d/${name}`)
      seen.push(...found)
    }
    script.check('each was seen once', () => JSON.stringify(seen.toSorted()) === JSON.stringify(names))
    script.lists([], 'list', 'd')
    script.ok('rmdir', 'd')
  },

  'names that are made while it is read: the old ones are listed, each once': async (script) => {
    const names = fill(script, 'd', 500)
    script.ok('open', 'd', O.DIRECTORY, 0, 'd')
    const first = script.ok('getdents', 'd', 2000)
    for (let index = 0; index < 500; index += 1) script.ok('create', `d/another-${index}`, 0o644)
    for (const name of names.slice(0, 10)) script.ok('rename', `d/${name}`, `d/renamed-${name}`)
    await script.run()
    const all = [...first.names, ...(await readAll(script, 'd'))]
    script.check('nothing is listed twice', () => new Set(all).size === all.length)
    script.check('what was there all the time is listed', () => names.slice(10).every((name) => all.includes(name)))
    script.ok('lseek', 'd', 0, SEEK.SET)
    await script.run()
    const again = await readAll(script, 'd')
    script.check('rewound, all is listed', () => again.length === 1002 && again.includes('renamed-name-00003'))
  },

  'a place in a listing can be gone back to': async (script) => {
    fill(script, 'd', 300)
    script.ok('open', 'd', O.DIRECTORY, 0, 'd')
    const all = script.ok('getdents', 'd', 65_536)
    await script.run()
    const entries = listed(all)
    for (const index of [250, 3, 100, 0, 299]) {
      script.ok('lseek', 'd', entries[index]![2], SEEK.SET)
      const rest = script.ok('getdents', 'd', 65_536)
      script.check(`after entry ${index} comes the next one`, () => JSON.stringify(rest.names) === JSON.stringify(entries.slice(index + 1).map(([name]) => name)))
    }
    script.ok('lseek', 'd', entries[50]![2], SEEK.SET)
    for (const [name] of entries.slice(0, 50)) if (!name.startsWith('.')) script.ok('unlink', `d/${name}`)
    const rest = script.ok('getdents', 'd', 65_536)
    script.check('also when names before it were removed', () => rest.names[0] === entries[51]![0])
  },

  'names of any bytes but / and NUL': (script) => {
    const bytes = Array.from({ length: 255 }, (_, index) => index + 1).filter((byte) => byte !== 0x2f)
    const names = bytes.map((byte) => `x${byte < 0x80 ? String.fromCharCode(byte) : String.fromCharCode(0xdc00 + byte)}`)
    for (const name of names) script.ok('create', name, 0o644)
    script.lists(names.toSorted(), 'list', '.')
    for (const name of names) script.lstat(name, { kind: 'regular' })
    for (const name of names) script.ok('rename', name, `${name}-`)
    for (const name of names) script.ok('unlink', `${name}-`)
    script.lists([], 'list', '.')
  },

  'names are bytes: case, accents and spaces make others': (script) => {
    const names = ['a', 'A', ' a', 'a ', '\u00e4', 'a\u0308', '...', '.a', '-', '*', '\u{1f600}', 'a.', 'con', 'a\\b', '"']
    for (const [index, name] of names.entries()) {
      script.ok('create', name, 0o644)
      script.ok('truncate', name, index)
    }
    script.lists(names.toSorted(), 'list', '.')
    for (const [index, name] of names.entries()) script.stat(name, { size: index })
  },

  'long names, many of them': async (script) => {
    const names = Array.from({ length: 300 }, (_, index) => `${String(index).padStart(4, '0')}${'n'.repeat(251)}`)
    script.ok('mkdir', 'd', 0o755)
    for (const name of names) script.ok('create', `d/${name}`, 0o644)
    script.lists(names, 'list', 'd')
    script.ok('open', 'd', O.DIRECTORY, 0, 'd')
    const found = await readAll(script, 'd', 1000)
    script.check('each is there once', () => JSON.stringify(found.toSorted()) === JSON.stringify(['.', '..', ...names]))
  },

  'EINVAL, ENOTDIR, EBADF: what cannot be listed': (script) => {
    script.ok('open', 'f', O.CREAT | O.RDWR, 0o644, 'f')
    script.fails('ENOTDIR', 'getdents', 'f')
    script.ok('mkdir', 'd', 0o755)
    script.ok('open', 'd', O.PATH, 0, 'path')
    script.fails('EBADF', 'getdents', 'path')
    script.make('regular', 'd/name-that-does-not-fit')
    script.ok('open', 'd', O.DIRECTORY, 0, 'd')
    script.fails('EINVAL', 'getdents', 'd', 10)
  },

  'who may read it lists it, who may search it finds names in it': (script) => {
    script.ok('mkdir', 'd', 0o700)
    script.make('regular', 'd/f')
    for (const [mode, canList, canFind] of [[0o704, true, false], [0o701, false, true], [0o705, true, true], [0o700, false, false]] as const) {
      script.ok('chmod', 'd', mode)
      if (canList) script.as(alice).lists(['f'], 'list', 'd')
      else script.as(alice).fails('EACCES', 'list', 'd')
      if (canFind) script.as(alice).ok('stat', 'd/f')
      else script.as(alice).fails('EACCES', 'stat', 'd/f')
    }
  },

  'deep: two hundred directories, one in the other': (script) => {
    const path = Array.from({ length: 200 }, (_, index) => `d${index}`)
    for (let depth = 1; depth <= path.length; depth += 1) script.ok('mkdir', path.slice(0, depth).join('/'), 0o755)
    script.make('regular', `${path.join('/')}/f`)
    script.stat(`${path.join('/')}/f`, { kind: 'regular' })
    script.stat(`${path.join('/')}/${'../'.repeat(199)}`, { nlink: 3 })
    script.ok('rename', 'd0/d1', 'moved')
    script.stat(`moved/${path.slice(2).join('/')}/f`, { kind: 'regular' })
    script.stat('d0', { nlink: 2 })
  },

  'a directory that moves takes a program in it along': (script) => {
    script.ok('mkdir', 'a', 0o755)
    script.ok('mkdir', 'a/b', 0o755)
    script.ok('chdir', 'a/b')
    script.ok('create', 'f', 0o644)
    script.ok('rename', '../b', '../../c')
    script.stat('f', { kind: 'regular' })
    script.ok('create', '../g', 0o644)
    script.stat('../c/f', { kind: 'regular' })
    script.ok('chdir', '..')
    script.lists(['a', 'c', 'g'], 'list', '.')
  },

  'inode numbers are the file: the same under stat, fstat and in the listing, another for each': (script) => {
    const names = Array.from({ length: 50 }, (_, index) => `f${index}`)
    const numbers = names.map((name) => {
      script.ok('create', name, 0o644)
      return script.stat(name)
    })
    script.ok('open', 'f7', O.RDONLY, 0, 'f')
    const open = script.fstat('f')
    script.check('each has its own', () => new Set(numbers.map(({ stat }) => stat.ino)).size === 50)
    script.check('a descriptor has the same', () => open.stat.ino === numbers[7]!.stat.ino && open.stat.device === numbers[7]!.stat.device)
  },

  'statfs tells of room, and of names up to 255 bytes': (script) => {
    script.ok('create', 'f', 0o644)
    for (const name of ['.', 'f']) {
      const answer = script.ok('statfs', name)
      script.check('the numbers make sense', () => {
        const { blockBytes, blocks, blocksFree, blocksAvailable, files, filesFree, nameBytesMax } = JSON.parse(answer.data)
        return blockBytes >= 512 && blocks > 0 && blocksFree <= blocks && blocksAvailable <= blocksFree && filesFree <= files && nameBytesMax === 255
      })
    }
  },

  'two processes make, rename and remove names of one directory at once': async (script) => {
    script.ok('mkdir', 'd', 0o777)
    const names = ['first', 'second', 'third']
    await script.run()
    const agents = await Promise.all(names.map((name) => script.agent(name)))
    const credentials = [alice, bob, { uid: 1, gid: 1 }]
    const outcomes = await Promise.all(
      agents.map((agent, which) =>
        agent.run(
          Array.from({ length: 200 }, (_, index) => {
            const own = `d/${names[which]!}-${index}`
            return [
              { call: ['create', own, 0o644] as const, as: credentials[which]! },
              { call: ['rename', own, `${own}-moved`] as const, as: credentials[which]! },
              ...(index % 2 === 0 ? [{ call: ['unlink', `${own}-moved`] as const, as: credentials[which]! }] : []),
            ]
          }).flat(),
        ),
      ),
    )
    script.check('nobody was in the way of another', () => outcomes.flat().every(({ error }) => error === undefined))
    const wanted = names.flatMap((name) => Array.from({ length: 100 }, (_, index) => `${name}-${2 * index + 1}-moved`)).toSorted()
    script.lists(wanted, 'list', 'd')
  },

  'of several processes that make one name, one makes it': async (script) => {
    const names = ['first', 'second', 'third', 'fourth']
    const agents = await Promise.all(names.map((name) => script.agent(name)))
    const outcomes = await Promise.all(
      agents.map((agent) => agent.run(Array.from({ length: 200 }, (_, index) => ({ call: index % 2 === 0 ? (['create', `f${index}`, 0o644] as const) : (['mkdir', `f${index}`, 0o755] as const) })))),
    )
    script.check('one has made each name, the others were told so', () =>
      Array.from({ length: 200 }, (_, index) => outcomes.map((all) => all[index]!.error)).every((errors) => errors.filter((error) => error === undefined).length === 1 && errors.filter((error) => error === 'EEXIST').length === 3),
    )
  },
}
