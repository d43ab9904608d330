import { z } from 'zod';

// What the API answers, and what /openapi.json says of it: one and the same.

const instant = z.iso.datetime().describe('ISO 8601');
const count = z.int().nonnegative();
const text = z.string();
/** One open position or pending order; a field is null where the bot does not tell it. */
const item = z.strictObject({ symbol: text.nullable(), side: text.nullable(), size: text.nullable() });

const check = z.strictObject({
  name: text,
  state: z.enum(['pass', 'warn', 'fail', 'stale', 'paused', 'unknown']),
  critical: z.boolean().describe('whether the bot is not ready while it fails'),
  since: instant.nullable().describe('when the state became this'),
  at: instant.nullable().describe('when the probe last ran'),
  response_ms: z.number().nullable(),
  measured: text.nullable().describe('with its unit, for a reader'),
  output: text.nullable().describe('why it is not pass'),
  code: text.nullable(),
});

const drain = z.strictObject({
  drain_id: text,
  outcome: z
    .enum(['running', 'flat', 'not_flat', 'nothing_to_do', 'abandoned', 'cut_off', 'unknown'])
    .describe('cut_off: it began, and nothing ever told its end'),
  trigger: text,
  started_at: instant.nullable(),
  at: instant.nullable().describe('of its newest receipt'),
  duration_ms: z.number().nonnegative().nullable(),
  open_positions: count.nullable(),
  pending_orders: count.nullable(),
  reason: text.nullable(),
  boot: text.nullable().describe('the boot of the bot that was drained'),
  proof: z
    .array(z.enum(['bot', 'sql', 'exchange']))
    .readonly()
    .describe('who said that it is flat; empty unless it is'),
  acknowledged: z.boolean().describe('a person has looked at the exchange since it ended'),
});

/** A bot, as the API tells it. */
export const botAnswer = z.strictObject({
  name: text,
  verdict: z.strictObject({
    kind: z.enum([
      'healthy',
      'look',
      'halted',
      'on-hold',
      'starting',
      'draining',
      'restarting',
      'failing',
      'needs-person',
      'out-of-touch',
      'unheard',
    ]),
    word: text.describe('the verdict in words'),
    because: z.array(text).readonly(),
  }),
  in_touch: z
    .boolean()
    .describe('whether its sidecar still answers; what follows is the last that was heard'),
  heard_at: instant.nullable(),
  positions: z
    .strictObject({
      open_positions: count,
      pending_orders: count,
      open: z
        .array(item)
        .readonly()
        .nullable()
        .describe('the first of them; null where only the counts are told'),
      pending: z.array(item).readonly().nullable(),
      at: instant.nullable(),
    })
    .nullable()
    .describe('null while unknown'),
  bot: z
    .strictObject({
      name: text.nullable().describe('BOT_NAME of its sidecar'),
      instance: text.nullable(),
      trading: z.enum(['running', 'halted']).nullable(),
      database: z.enum(['connected', 'disconnected']).nullable(),
      last_tick_at: instant.nullable(),
    })
    .nullable(),
  heal: z
    .strictObject({
      live: z.boolean().describe('false: a restart is asked for'),
      reason: text.nullable(),
      heals_last_hour: count,
      capped: z.boolean().describe('past the cap: a person is needed'),
      boot: text.nullable(),
      boots_unasked: count.nullable().describe('starts within ten minutes that nobody asked for'),
    })
    .nullable(),
  hold: z
    .strictObject({ since: instant.nullable(), reason: text })
    .nullable()
    .describe("a person's drain that stands"),
  vanished: z
    .strictObject({ boot: text, open: count, now_open: count })
    .nullable()
    .describe('positions that one boot had and the next one does not report'),
  acknowledged_at: instant.nullable().describe('when a person last looked at the exchange'),
  alerts: z.strictObject({ undelivered: count.nullable() }).nullable(),
  checks: z.array(check),
  drains: z.array(drain).describe('newest first'),
});

/** `GET /api/bots`. */
export const botsAnswer = z.strictObject({ now: instant, bots: z.array(botAnswer) });

const cell = z.strictObject({
  at: z.int().describe('when it begins, in milliseconds since 1970'),
  worst: z.int().min(0).max(3).describe('0 good, 1 should be looked at, 2 not known, 3 failed'),
  runs: count,
  timed: count.describe('results that told a response time'),
  totalMs: z.number().nonnegative().describe('the sum of those'),
});

/** `GET /api/bots/{bot}`. */
export const oneBotAnswer = botAnswer.extend({
  checks_last_hour: z
    .record(text, z.array(cell).readonly())
    .describe('by probe, in minutes, without those in which nothing was heard'),
  timeline: z.array(
    z.strictObject({
      at: instant,
      kind: text,
      subject: text.nullable(),
      text: text.describe('for a person'),
    }),
  ),
});

/** What is answered to a call that is refused. */
export const errorAnswer = z.strictObject({
  error: z.strictObject({ code: text.describe('stable'), message: text }),
});

/** The dashboard itself, as health+json; the checks for those who may see them. */
export const healthAnswer = z.looseObject({ status: z.enum(['pass', 'warn', 'fail']) });
