/** `edgemount token`: makes and reads tokens for edges, and says who may read a volume. Each action is a function of `token-make.ts` or `token-access.ts`. */
import { UsageError } from './arguments.ts'
import { defineCommand } from './command.ts'
import type { ExitCode } from './exit-code.ts'
import { publicRead, revokeToken, showAccess } from './token-access.ts'
import { type TokenCall, createToken, inspectToken, makeSecret, signUrl, tokenSettings } from './token-make.ts'

interface Action {
  /** How many words there are after the action's name. */
  readonly least: number
  readonly most: number
  run(call: TokenCall): Promise<ExitCode>
}

const actions: Readonly<Record<string, Action>> = {
  create: { least: 0, most: 0, run: createToken },
  url: { least: 1, most: 1, run: signUrl },
  inspect: { least: 0, most: 1, run: inspectToken },
  revoke: { least: 2, most: 2, run: revokeToken },
  public: { least: 2, most: 2, run: publicRead },
  access: { least: 1, most: 1, run: showAccess },
  secret: { least: 0, most: 1, run: makeSecret },
}

export const tokenCommand = defineCommand({
  name: 'token',
  summary: 'Make, read and revoke tokens of edges, and say who may read.',
  parameters: [
    { name: 'action', help: 'create; url <edge>/<volume>/<file>; inspect [<token>]; revoke <source/volume> <token or id>; public <source/volume> on|off; access <source/volume>; secret [<key id>]' },
    { name: 'what', help: 'what the action is about', isOptional: true },
    { name: 'which', help: 'the token, or on or off', isOptional: true },
  ],
  settings: tokenSettings,
  details:
    'Edges with a secret let nobody in without a token. `secret` makes one; give it to the edge as EDGEMOUNT_SECRETS, and to this command where tokens are made: the first of several signs, all are accepted. `create` and `url` sign with it and ask no edge; `url` signs the address of one file for whoever has that. `inspect` reads a token, from EDGEMOUNT_TOKEN or standard input (-) too, and says whether a key in EDGEMOUNT_SECRETS has signed it. `revoke`, `public` and `access` change and show what a volume says, in its store or over an edge with a token that may `admin`; other edges see it within five seconds.',
  examples: [
    ['export EDGEMOUNT_SECRETS=$(edgemount token secret)', 'A fresh secret, with the key id "k1".'],
    ['edgemount token create --volume photos --prefix /2024 --can read,list --expires 30d', 'For one directory.'],
    ['edgemount token create --volume photos --can read,list,write,publish --expires 365d', 'For a mount that is written to.'],
    ['edgemount token url https://edge.example/photos/2024/beach.jpg --expires 1h', 'A link to one file.'],
    ['edgemount token revoke dir:./data/photos em1.…', 'From now on it is worth nothing.'],
    ['edgemount token public https://edge.example/photos on', 'Everybody may read.'],
  ],
  run: async (call) => {
    const [name = '', ...words] = call.parameters
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined
    if (action === undefined) throw new UsageError(`Cannot run "edgemount token ${name}": there is no such action; there are ${Object.keys(actions).join(', ')}`)
    const count = words.filter((word) => word !== undefined).length
    if (count < action.least) throw new UsageError(`Cannot run "edgemount token ${name}": ${action.least - count} more ${action.least - count === 1 ? 'word is' : 'words are'} needed`)
    if (count > action.most) throw new UsageError(`Cannot run "edgemount token ${name}": it takes fewer words`)
    return await action.run(call)
  },
})
