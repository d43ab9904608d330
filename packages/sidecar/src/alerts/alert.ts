import { z } from 'zod';

/** Something a person should know. */
export interface Alert {
  /** What it is about: alerts with the same key within the quiet time are gathered into one summary. */
  readonly key: string;
  /** Stable name, like `drain.not_flat`. */
  readonly event: string;
  /** A critical one is kept until it is delivered, for a day at most, over restarts of the sidecar as well. */
  readonly severity: 'info' | 'warning' | 'critical';
  /** One sentence. */
  readonly text: string;
  /** Does not queue behind the others, one of which may be in its retries. */
  readonly urgent?: boolean;
  /** More facts, as JSON. */
  readonly fields?: object;
}

/** What stands in `alerts.json`: the critical alerts that are not delivered. */
export const alertsFile = z.object({
  alerts: z.array(
    z.object({
      key: z.string(),
      event: z.string(),
      text: z.string(),
      fields: z.record(z.string(), z.unknown()),
      /** When it happened. */
      at: z.iso.datetime(),
    }),
  ),
});
export type AlertsFile = z.infer<typeof alertsFile>;
