/** Who runs the command. */
import { hostname, userInfo } from 'node:os'

export function userId(): number {
  return process.getuid?.() ?? 0
}

/** `name@host`, for commits. */
export function authorName(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    // A user id without a name, as in many containers.
    return `${userId()}@${hostname()}`
  }
}
