#!/usr/bin/env node
/**
 * Where the `edgemount` command begins. Only this file and what it imports is compiled at every start; the rest is kept compiled (`sys/compiled-code.ts`).
 */
import { keepCompiledCode } from './sys/compiled-code.ts'

keepCompiledCode(process.env, process.getuid?.())
await import('./program.ts')
