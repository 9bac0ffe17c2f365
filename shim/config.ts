/**
 * Every setting of the command, once: its name, kind, default and help. Flags, environment variables, `--help` and the
 * table in README.md are derived from this table, and a test compares the README with it.
 *
 * A setting's flag is `--name`. Where `env` is true it can also be set as `EDGEMOUNT_NAME`; a flag goes before the environment.
 */

export type SettingKind = 'flag' | 'text' | 'list' | 'bytes' | 'duration' | 'count'

export interface Setting {
  readonly kind: SettingKind
  readonly default: boolean | number | string | undefined
  readonly help: string
  /** What stands for the value in `--help`, for example `<dir>`. */
  readonly value?: string
  /** Says the default in words, where the value itself would not tell. */
  readonly defaultText?: string
  readonly short?: string
  readonly choices?: readonly string[]
  /** The least value, of bytes, durations and counts. */
  readonly min?: number
  /** The greatest. */
  readonly max?: number
  /** True for what a person sets once for all calls; false for what belongs to one call. */
  readonly env: boolean
}

/** What a bare number means; a duration must have its unit. */
export const unitOfKind: Readonly<Record<SettingKind, string>> = {
  flag: '',
  text: '',
  list: '',
  bytes: 'bytes',
  duration: '',
  count: '',
}

const kibibyte = 1024
const mebibyte = 1024 * kibibyte
const gibibyte = 1024 * mebibyte
const second = 1000

export const settings = {
  help: { kind: 'flag', default: false, short: 'h', env: false, help: 'Say how a command is used.' },
  json: { kind: 'flag', default: false, env: true, help: 'Print JSON: one document, or one line for each item of a list. Errors are JSON on standard error.' },
  quiet: { kind: 'flag', default: false, short: 'q', env: true, help: 'Print no progress.' },
  'log-level': { kind: 'text', default: 'warn', choices: ['debug', 'info', 'warn', 'error'], env: true, help: 'The least level that is logged (on standard error).' },
  'log-format': { kind: 'text', default: 'text', choices: ['text', 'json'], env: true, help: 'How log lines look.' },
  author: { kind: 'text', default: undefined, value: '<name>', defaultText: 'user@host', env: true, help: 'Who stands as the author of a commit, and in the names of conflicts.' },
  message: { kind: 'text', default: undefined, short: 'm', value: '<text>', env: false, help: 'A message for the commit.' },
  timeout: { kind: 'duration', default: 30 * second, min: 1, env: true, help: 'How long one request to an edge may take.' },

  token: { kind: 'text', default: undefined, value: '<token>', env: true, help: 'What is brought to an edge that lets nobody in without one. Better in the environment: whoever lists processes sees flags. In the URL of an edge it may stand as `/t/<token>/` or `?t=<token>`, too.' },

  host: { kind: 'text', default: '127.0.0.1', value: '<address>', env: true, help: 'The address to listen on. `0.0.0.0` listens to everybody, which needs a secret, or `--open`.' },
  'host-name': { kind: 'list', default: undefined, value: '<name>', env: true, help: 'What a server on a loopback address answers to besides `localhost`: the name by which a proxy on this machine calls it. May be given several times; in the environment with commas between.' },
  port: { kind: 'count', default: 8787, max: 65_535, value: '<port>', env: true, help: 'The port to listen on; 0 takes any free one.' },
  open: { kind: 'flag', default: false, env: true, help: 'Serve without a secret where others can reach it: everybody may then read and write everything.' },
  'token-rate': { kind: 'count', default: 2000, env: true, help: 'Requests a second that one token may make on an edge with secrets; 0 is without a limit.' },
  'anonymous-rate': { kind: 'count', default: 200, env: true, help: 'Requests a second that one address may make there without a token that counts; 0 is without a limit.' },
  'upload-bytes': { kind: 'bytes', default: undefined, defaultText: 'any', min: 1, env: true, help: 'The largest file that may be uploaded, in one request or in parts.' },
  serve: {
    kind: 'text',
    default: '127.0.0.1:8787',
    value: '<address>|off',
    defaultText: '127.0.0.1:8787, or the next free port',
    env: true,
    help: 'Where a mount of a store serves its files over HTTP, as `host:port`; `off` serves nothing.',
  },

  cache: { kind: 'text', default: undefined, value: '<dir>', defaultText: '~/.cache/edgemount; /var/cache/edgemount for root', env: true, help: 'Where a mount keeps what it has read, and what it has not published yet; where `serve` keeps what it has read, in `edge` below it, if it is given. Best on a local SSD.' },
  'cache-bytes': { kind: 'bytes', default: 10 * gibibyte, min: mebibyte, env: true, help: 'How much the cache may hold, 1MiB at least. What is not published counts, and is never dropped.' },
  'memory-cache-bytes': { kind: 'bytes', default: 128 * mebibyte, env: true, help: 'How much of the packs that were read lately `serve` keeps in memory; `0` keeps nothing.' },
  'cache-free-bytes': { kind: 'bytes', default: gibibyte, env: true, help: 'What the cache leaves free on its disk.' },
  driver: { kind: 'text', default: 'linux', choices: ['linux', 'fuse-native'], env: true, help: 'What speaks FUSE: our own driver for Linux, or libfuse 2 by fuse-native (slower).' },
  passthrough: {
    kind: 'text',
    default: 'auto',
    choices: ['auto', 'off'],
    env: true,
    help: 'Whether the kernel reads and writes files that are wholly on this machine by itself (Linux 6.9, root); with `off` every byte goes through edgemount.',
  },
  'allow-other': { kind: 'flag', default: false, env: true, help: 'Let other users into the mount (who is not root needs user_allow_other in /etc/fuse.conf).' },
  deadline: { kind: 'duration', default: 30 * second, min: 1, env: true, help: 'How long a read in a mount may wait for the edge before it fails with an I/O error, and publishing that does not get on before whoever waits for it is told.' },
  poll: { kind: 'duration', default: 250, min: 10, env: true, help: 'How often a mount looks for new commits.' },
  'read-only': { kind: 'flag', default: false, env: true, help: 'Mount so that nothing can be changed. A commit (`@<seq>`) always is.' },
  durability: {
    kind: 'text',
    default: 'local',
    choices: ['local', 'cloud'],
    env: true,
    help: 'Where fsync makes things durable: on the disk of this machine, or, with `cloud`, in the volume too; then close waits for that as well.',
  },
  'write-back-delay': { kind: 'duration', default: 2 * second, env: true, help: 'How long nothing more must change before changes are published; 30s after the first change they are in any case, unless this is longer.' },
  coherence: {
    kind: 'text',
    default: 'close-to-open',
    choices: ['close-to-open', 'strict'],
    env: true,
    help: 'How mounts agree: commits show within a second, or, with `strict`, every open asks for the newest one and a name is created exclusively by one mount alone.',
  },
  wait: {
    kind: 'duration',
    default: undefined,
    defaultText: 'as long as it gets on',
    env: true,
    help: 'How long to publish what is left before giving up; `0ms` leaves at once. What is not published is kept on this machine.',
  },
  foreground: { kind: 'flag', default: true, env: false, help: 'Stay until Ctrl-C; so it is unless `--daemon` is given.' },
  daemon: { kind: 'flag', default: false, env: false, help: 'Go on in the background once the mount is ready.' },
  'log-file': { kind: 'text', default: undefined, value: '<file>', defaultText: 'beside the control socket', env: true, help: 'Where a mount in the background writes its log.' },

  chunking: {
    kind: 'text',
    default: 'content',
    value: 'content|fixed:<bytes>',
    env: true,
    help: 'How a new volume cuts files: by content (64 KiB to 1 MiB, 256 KiB on average), or into equal parts such as `fixed:256KiB`.',
  },
  exclude: { kind: 'list', default: undefined, value: '<pattern>', env: false, help: 'Leave out what matches: `*.log`, `/build/`, `docs/**/*.tmp`. May be given several times.' },
  delete: { kind: 'flag', default: false, env: false, help: 'Remove from the volume what is not in the folder.' },
  mirror: { kind: 'flag', default: false, env: false, help: 'Make the volume equal to the folder also where it was written to since: older commits keep that.' },
  discard: { kind: 'flag', default: false, env: false, help: 'Throw away for ever what is not published.' },
  checksum: { kind: 'flag', default: false, env: false, help: 'Read every file, also where size and time of change are as before.' },
  'read-data': { kind: 'flag', default: false, env: false, help: 'Read every stored byte of every file too, and compare it with its hash.' },
  'one-file-system': { kind: 'flag', default: false, short: 'x', env: false, help: 'Do not go into folders that are mounts of something else.' },
  'dry-run': { kind: 'flag', default: false, short: 'n', env: false, help: 'Only say what would be done.' },
  jobs: { kind: 'count', default: 4, min: 1, env: true, help: 'How many files are read at once.' },

  volume: { kind: 'text', default: undefined, value: '<volume>', env: false, help: 'The volume that a token is for; `*` for every one, and for making and listing volumes.' },
  prefix: { kind: 'text', default: '/', value: '<path>', env: false, help: 'A token reaches this path and what is below; with another one than `/` by HTTP alone, not by mounts and commands.' },
  can: { kind: 'list', default: undefined, value: '<rights>', defaultText: 'read,list', env: false, help: 'What a token allows, with commas between: read, list, write, publish, admin.' },
  expires: { kind: 'duration', default: 30 * 24 * 3600 * second, defaultText: '30d', min: second, env: false, help: 'How long a token or signed address is good for, such as `1h` or `30d`; ten years at most.' },

  long: { kind: 'flag', default: false, short: 'l', env: false, help: 'Say more: mode, owner, size and time of each entry; of a mount, each file that waits and why.' },
  web: { kind: 'flag', default: false, env: false, help: 'Show it as a page with live charts, on an address of this machine that is told, until Ctrl-C.' },
  zero: { kind: 'flag', default: false, short: '0', env: false, help: 'End each name with a zero byte instead of a line break, and print it as it is, for `xargs -0`.' },
  recursive: { kind: 'flag', default: false, short: 'R', env: false, help: 'Directories with everything in them (`-r` is the same).' },
  parents: { kind: 'flag', default: false, short: 'p', env: false, help: 'Make missing directories on the way.' },
  force: { kind: 'flag', default: false, short: 'f', env: false, help: 'Do not mind what is missing or in use.' },
  range: { kind: 'text', default: undefined, value: '<start>-<end>', env: false, help: 'Only these bytes, counted from 0 and both included, as HTTP does: `0-99`, `500-`, `-100`.' },
  limit: { kind: 'count', default: undefined, value: '<count>', defaultText: 'all', env: false, help: 'At most so many.' },
  follow: { kind: 'flag', default: false, env: false, help: 'Go on as new ones come, until Ctrl-C.' },
} as const satisfies Readonly<Record<string, Setting>>

export type SettingName = keyof typeof settings

interface ValueOfKind {
  readonly flag: boolean
  readonly text: string
  readonly list: readonly string[]
  readonly bytes: number
  readonly duration: number
  readonly count: number
}

type Row<N extends SettingName> = (typeof settings)[N]
type Chosen<N extends SettingName> = Row<N> extends { readonly choices: readonly (infer Choice)[] } ? Choice : ValueOfKind[Row<N>['kind']]
type Optional<N extends SettingName> = Row<N>['kind'] extends 'list' ? never : Row<N>['default'] extends undefined ? undefined : never

/** The values of all settings: sizes in bytes, durations in ms, lists never undefined. */
export type Settings = { readonly [N in SettingName]: Chosen<N> | Optional<N> }

/** The table's row as its plain type. */
export function settingOf(name: SettingName): Setting {
  return settings[name]
}

export const settingNames: readonly SettingName[] = Object.keys(settings).filter(isSettingName)

function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settings, name)
}

/** True when there is a value, or a known absence, for every setting. What the values are is `arguments.ts`'s promise. */
export function isSettings(values: Readonly<Record<string, unknown>>): values is Settings {
  return settingNames.every((name) => Object.hasOwn(values, name))
}

/** The environment variable of a setting, or undefined when it has none. */
export function environmentName(name: SettingName): string | undefined {
  return settingOf(name).env ? `EDGEMOUNT_${name.toUpperCase().replaceAll('-', '_')}` : undefined
}
