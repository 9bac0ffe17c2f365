/**
 * The console: where its page begins. `bundle.ts` builds it, `edge/routes/` serve it.
 */
import { systemClock } from '../../shared/clock.ts'
import { applyTheme } from './preferences.ts'
import { Session } from './session.ts'
import { Shell } from './shell.ts'

applyTheme()
new Shell(new Session(location, document.documentElement.dataset['refusal']), systemClock).start(document.body)
