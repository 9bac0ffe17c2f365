/** All subcommands, in the order of `--help`. */
import { catCommand } from './cat.ts'
import type { Command } from './command.ts'
import { createCommand } from './create.ts'
import { diffCommand } from './diff.ts'
import { getCommand } from './get.ts'
import { importCommand } from './import.ts'
import { logCommand } from './log.ts'
import { lsCommand } from './ls.ts'
import { putCommand } from './put.ts'
import { rmCommand } from './rm.ts'
import { serveCommand } from './serve.ts'
import { statCommand } from './stat.ts'

export const commands: readonly Command[] = [
  serveCommand,
  importCommand,
  createCommand,
  putCommand,
  getCommand,
  lsCommand,
  catCommand,
  rmCommand,
  statCommand,
  logCommand,
  diffCommand,
]
