/** Fields of what a mount answered, which may be of another version: what is not there, or is of another kind, is nothing. */
import { fieldOf } from '../../shared/wire/messages.ts'

export function numberOf(value: unknown, name: string): number {
  const field = fieldOf(value, name)
  return typeof field === 'number' ? field : 0
}

/** Undefined when it is no text and no number. */
export function textOf(value: unknown, name: string): string | undefined {
  const field = fieldOf(value, name)
  return typeof field === 'string' || typeof field === 'number' ? String(field) : undefined
}

export function listOf(value: unknown, name: string): readonly unknown[] {
  const field = fieldOf(value, name)
  return Array.isArray(field) ? field : []
}
