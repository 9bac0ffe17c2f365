/** All subcommands, in the order of `--help`. */
import { catCommand } from './cat.ts'
import type { Command } from './command.ts'
import { cpCommand } from './cp.ts'
import { createCommand } from './create.ts'
import { diffCommand } from './diff.ts'
import { flushCommand } from './flush.ts'
import { fsckCommand } from './fsck.ts'
import { getCommand } from './get.ts'
import { importCommand } from './import.ts'
import { logCommand } from './log.ts'
import { lsCommand } from './ls.ts'
import { mkdirCommand } from './mkdir.ts'
import { mountCommand } from './mount.ts'
import { mvCommand } from './mv.ts'
import { putCommand } from './put.ts'
import { rmCommand } from './rm.ts'
import { serveCommand } from './serve.ts'
import { startCommand } from './start.ts'
import { statCommand } from './stat.ts'
import { statusCommand } from './status.ts'
import { tokenCommand } from './token.ts'
import { umountCommand } from './umount.ts'

export const commands: readonly Command[] = [
  startCommand,
  serveCommand,
  mountCommand,
  umountCommand,
  flushCommand,
  statusCommand,
  importCommand,
  createCommand,
  putCommand,
  getCommand,
  lsCommand,
  catCommand,
  mkdirCommand,
  mvCommand,
  cpCommand,
  rmCommand,
  statCommand,
  logCommand,
  diffCommand,
  fsckCommand,
  tokenCommand,
]
