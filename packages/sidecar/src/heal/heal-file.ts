import { z } from 'zod';
import { keptCadence } from './cadence.ts';
import { keptHealing } from './kept.ts';

/** What stands in `heal.json`: all that a restart of the sidecar must not forget of the bot. */
export const healFile = z.object({
  healing: keptHealing,
  /** Null where TICK_MAX_AGE is a duration. */
  cadence: keptCadence.nullable(),
  /** Names of models that the bot was seen to have. */
  models: z.array(z.string()),
});
export type HealFile = z.infer<typeof healFile>;
