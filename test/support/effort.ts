/** How long tests try: 1 on every change, more in the soak run (`vitest.soak.config.ts`). */
export const effort = Number(process.env['EDGEMOUNT_EFFORT'] ?? 1)
