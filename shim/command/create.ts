/** `edgemount create`: an empty volume. */
import { codeOf, EdgemountError } from '../../shared/error.ts'
import { rootPath } from '../../shared/path.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { checkVolumeName } from '../../shared/wire/routes.ts'
import { parseChunking } from './chunking.ts'
import { defineCommand, required } from './command.ts'
import { exitCode } from './exit-code.ts'
import { engineOf, openPlace, refusePinned } from './open.ts'
import { openSettings } from './session.ts'
import { refuseStoreItself } from './store-folder.ts'
import { jsonText } from './terminal.ts'
import { inSource } from './target.ts'

export const createCommand = defineCommand({
  name: 'create',
  summary: 'Make an empty volume.',
  parameters: [{ name: 'source/volume', help: 'for example dir:./data/photos' }],
  settings: ['chunking', 'author'],
  examples: [
    ['edgemount create dir:./data/photos', 'A volume "photos" in the store ./data.'],
    ['edgemount create "s3://bucket/photos?endpoint=https://storage.example&region=us-east-1"', 'In a bucket of a server that speaks S3.'],
    ['edgemount create http://127.0.0.1:8787/tiles --chunking fixed:256KiB', 'A volume whose files are cut into equal parts, over an edge.'],
  ],
  run: async (call) => {
    const text = required(call, 0)
    const chunking = parseChunking(call.settings.chunking)
    const opened = await openPlace(text, openSettings(call))
    try {
      const { place, store } = opened
      refusePinned(place, 'create')
      if (place.path !== rootPath) throw new EdgemountError('conflict', `Cannot create the volume "${text}": "${inSource(place.source, place.volume)}" is a volume`)
      checkVolumeName(place.volume)
      await refuseStoreItself(place)
      const volume = await Volume.create(engineOf(store, call.settings), { name: place.volume, chunking }).catch((error: unknown) => {
        if (codeOf(error) !== 'conflict') throw error
        throw new EdgemountError('conflict', `Cannot create the volume "${place.volume}": there is one already in ${place.source}`, { cause: error })
      })
      await volume.close()
      const { output } = call.terminal
      const { id, name } = volume.config
      await output.write(call.settings.json ? jsonText({ volume: name, id, source: place.source, chunking }, output) : `Created the volume "${name}" in ${place.source}.\n`)
      return exitCode.ok
    } finally {
      await opened.close()
    }
  },
})
