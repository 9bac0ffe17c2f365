/** Where relative paths begin when npm runs the command: npm goes to the package first, and says in INIT_CWD where the user stands. */

/** Scripts of package.json that are this command. */
const ownScripts = new Set(['edgemount', 'start'])

/** Undefined where the process is where it should be. */
export function directoryOfUser(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const isOwnScript = environment['npm_package_name'] === 'edgemount' && ownScripts.has(environment['npm_lifecycle_event'] ?? '')
  const directory = environment['INIT_CWD']
  return isOwnScript && directory !== '' ? directory : undefined
}
