/** Asks the browser once to keep what this origin stores when its disk fills. */

/** Never rejects; only pages can ask, and a refusal changes nothing but what goes first when the disk fills. */
export async function askToPersist(): Promise<void> {
  const storage: Partial<StorageManager> | undefined = globalThis.navigator?.storage
  try {
    if (storage?.persist !== undefined && (await storage.persisted?.()) !== true) await storage.persist()
  } catch {
    // Nothing depends on it.
  }
}
