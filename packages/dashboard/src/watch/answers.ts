import { redact } from '@botwarden/probes';
import { z } from 'zod';

// What a sidecar answers is text from outside: a bot's model names, its errors, whatever a stranger on the network
// made of it. Here it is cut to size and typed, once; what does not fit becomes unknown, never healthy.

/** The state of one probe of a sidecar. Only `pass` and `warn` are healthy. */
export type CheckState = 'pass' | 'warn' | 'fail' | 'stale' | 'paused' | 'unknown';

/** One probe of a sidecar, as it last told. Times in milliseconds since 1970. */
export interface Check {
  readonly name: string;
  readonly state: CheckState;
  readonly critical: boolean;
  /** When the state became this; null when the sidecar did not say. */
  readonly since: number | null;
  /** When the probe last ran. */
  readonly at: number | null;
  /** What was measured, with its unit, for a reader; null when nothing was. */
  readonly measured: string | null;
  /** How long the run took, in milliseconds, where that is what was measured. */
  readonly responseMs: number | null;
  /** Why it is not `pass`. */
  readonly output: string | null;
  readonly code: string | null;
}

/** What a sidecar tells of its bot at one moment. */
export interface Report {
  readonly status: 'pass' | 'warn' | 'fail';
  /** Sentences for a person. */
  readonly notes: readonly string[];
  /** In the order of the sidecar. */
  readonly checks: readonly Check[];
  readonly bot: {
    /** BOT_NAME; null where the sidecar does not tell it. */
    readonly name: string | null;
    readonly instance: string | null;
    readonly trading: 'running' | 'halted' | null;
    readonly database: 'connected' | 'disconnected' | null;
    readonly lastTickAt: number | null;
  };
  /** Null while unknown. */
  readonly positions: OpenNow | null;
  /** A person's drain that stands; null where none does. */
  readonly hold: { readonly since: number | null; readonly reason: string } | null;
  /** Positions that one boot had and the next one does not report; null where none wait for a person. */
  readonly vanished: { readonly boot: string; readonly open: number; readonly nowOpen: number } | null;
  /** When a person last looked at the exchange; null where nobody has, or the sidecar does not tell it. */
  readonly acknowledgedAt: number | null;
  /** Alerts that nobody took so far; null where the sidecar does not tell it. */
  readonly undelivered: number | null;
  readonly drain: { readonly active: boolean; readonly unfinished: boolean };
  readonly heal: {
    readonly live: boolean;
    readonly reason: string | null;
    readonly lastHour: number;
    readonly capped: boolean;
    /** The current boot, as its gate names it or else as the bot does. */
    readonly boot: string | null;
    /** Starts within the last ten minutes that nobody asked for; null where the sidecar does not tell it. */
    readonly bootsUnasked: number | null;
  };
}

/** What is open at a bot. */
export interface OpenNow {
  readonly open: number;
  readonly pending: number;
  readonly at: number | null;
  /** The first of them; null where only the counts are told. */
  readonly positions: readonly OpenItem[] | null;
  readonly orders: readonly OpenItem[] | null;
}

/** One open position or pending order; a field is null where the bot does not tell it. */
export interface OpenItem {
  readonly symbol: string | null;
  readonly side: string | null;
  readonly size: string | null;
}

/** Who said that it is flat: the bot, FLAT_CHECK_SQL, FLAT_CHECK_URL. */
export type Proof = 'bot' | 'sql' | 'exchange';

/** One line of a sidecar's drain log. */
export interface Receipt {
  readonly id: string;
  readonly trigger: string;
  readonly state: 'started' | 'flat' | 'not_flat' | 'nothing_to_do' | 'abandoned' | 'unknown';
  readonly at: number | null;
  readonly startedAt: number | null;
  readonly durationMs: number | null;
  /** The boot that was drained, as its gate names it. */
  readonly boot: string | null;
  readonly instance: string | null;
  /** Empty unless it is flat. */
  readonly proof: readonly Proof[];
  readonly attempts: number | null;
  readonly open: number | null;
  readonly pending: number | null;
  readonly reason: string;
}

/** A drain as it stands. */
export interface DrainView extends Receipt {
  readonly remainingMs: number | null;
  readonly steps: ReadonlyArray<{ readonly at: number | null; readonly sentence: string }>;
}

/** The longest answer that is read of a sidecar, in bytes. A thousand receipts fit. */
export const MAX_ANSWER_BYTES = 512 * 1024;
const MAX_TEXT = 400;
const MAX_NAME = 80;
const MAX_CHECKS = 40;
const MAX_NOTES = 20;
const MAX_RECEIPTS = 200;
const MAX_STEPS = 200;
const MAX_ITEMS = 20;
const MAX_ITEM_TEXT = 60;

/** One line: without control characters, and without those that would turn the direction of the page's own text. */
export function oneLine(value: string, limit: number): string {
  const line = value
    // Four times the limit is enough to collapse, and keeps a megabyte of text from being walked through.
    .slice(0, limit * 4)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  return line.length > limit ? `${line.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, '')}…` : line;
}

const text = (limit: number) =>
  z.string().transform((value) => oneLine(redact(value.slice(0, limit * 4)), limit));
const optionalText = (limit: number) =>
  text(limit)
    .transform((value) => (value === '' ? null : value))
    .nullable()
    .catch(null);
const moment = z
  .string()
  .max(40)
  .transform((value) => Date.parse(value))
  .pipe(z.number().int().min(0).max(8_640_000_000_000_000))
  .nullable()
  .catch(null);
const count = z.number().int().min(0).max(1_000_000_000).nullable().catch(null);
const span = z.number().min(0).max(1e12).nullable().catch(null);
/** A list that is cut before its items are looked at; anything else is an empty one. */
const listOf = <T extends z.ZodType>(item: T, limit: number) =>
  z.preprocess(
    (value) =>
      Array.isArray(value) ? value.slice(0, limit).flatMap((one) => item.safeParse(one).data ?? []) : [],
    z.array(z.custom<z.output<T>>()),
  );

const checkSchema = z.object({
  componentId: optionalText(MAX_NAME),
  status: z.enum(['pass', 'warn', 'fail']).nullable().catch(null),
  state: z.enum(['pass', 'warn', 'fail', 'stale', 'paused', 'unknown']).nullable().catch(null),
  critical: z.boolean().catch(true),
  since: moment,
  time: moment,
  observedValue: z
    .union([z.number(), z.boolean(), text(MAX_NAME)])
    .nullable()
    .catch(null),
  observedUnit: optionalText(20),
  output: optionalText(MAX_TEXT),
  code: optionalText(MAX_NAME),
});

const itemText = optionalText(MAX_ITEM_TEXT);
const itemList = listOf(z.object({ symbol: itemText, side: itemText, size: itemText }), MAX_ITEMS);
const items = z.preprocess((value) => (Array.isArray(value) ? value : null), itemList.nullable());

const reportSchema = z.object({
  status: z.enum(['pass', 'warn', 'fail']),
  notes: listOf(text(MAX_TEXT), MAX_NOTES),
  output: optionalText(MAX_TEXT),
  checks: z.record(z.string(), z.unknown()).catch({}),
  bot: z
    .object({
      name: optionalText(MAX_NAME),
      instance: optionalText(MAX_NAME),
      trading: z.enum(['running', 'halted']).nullable().catch(null),
      database: z.enum(['connected', 'disconnected']).nullable().catch(null),
      last_tick_at: moment,
    })
    .catch({ name: null, instance: null, trading: null, database: null, last_tick_at: null }),
  positions: z
    .object({
      open_positions: z.number().int().min(0),
      pending_orders: z.number().int().min(0),
      open: items,
      pending: items,
      at: moment,
    })
    .nullable()
    .catch(null),
  hold: z
    .object({ since: moment, reason: text(MAX_TEXT).catch('') })
    .nullable()
    .catch(null),
  vanished: z
    .object({
      boot: text(MAX_NAME).catch('unknown'),
      open: z.number().int().min(0),
      now_open: z.number().int().min(0),
    })
    .nullable()
    .catch(null),
  acknowledged_at: moment,
  alerts: z.object({ undelivered: count }).catch({ undelivered: null }),
  drain: z
    .object({ active: z.boolean().catch(false), unfinished: z.boolean().catch(false) })
    .catch({ active: false, unfinished: false }),
  heal: z
    .object({
      live: z.boolean(),
      reason: optionalText(MAX_TEXT),
      heals_last_hour: count,
      capped: z.boolean().catch(false),
      boot: optionalText(MAX_NAME),
      boots_unasked: count,
    })
    .catch({
      live: true,
      reason: null,
      heals_last_hour: null,
      capped: false,
      boot: null,
      boots_unasked: null,
    }),
});

const receiptShape = {
  // It goes into addresses and ids of the page: `..` would lead elsewhere.
  drain_id: text(MAX_NAME)
    .transform((id) => id.replace(/[^\w.:-]/g, '-').replace(/^\W/, '_'))
    .pipe(z.string().min(1)),
  trigger: text(20).catch('unknown'),
  state: z.enum(['started', 'flat', 'not_flat', 'nothing_to_do', 'abandoned', 'unknown']).catch('unknown'),
  at: moment,
  started_at: moment,
  duration_ms: span,
  boot: optionalText(MAX_NAME),
  bot_instance: optionalText(MAX_NAME),
  proof: listOf(z.enum(['bot', 'sql', 'exchange']), 3),
  attempts: count,
  open_positions: count,
  pending_orders: count,
  reason: text(MAX_TEXT).catch(''),
};
const receiptSchema = z.object(receiptShape).transform(toReceipt);
const drainSchema = z
  .object({
    ...receiptShape,
    remaining_ms: span,
    steps: listOf(z.object({ at: moment, sentence: text(MAX_TEXT) }), MAX_STEPS),
  })
  .transform((raw): DrainView => ({ ...toReceipt(raw), remainingMs: raw.remaining_ms, steps: raw.steps }));

/** An answer that is not what a sidecar gives. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
  readonly code = 'SIDECAR_ANSWER';
}

/**
 * Reads `/healthz` of a sidecar.
 *
 * @throws {AnswerError} when it is no health document at all.
 */
export function parseReport(body: unknown): Report {
  const { data } = reportSchema.safeParse(body);
  if (data === undefined) {
    throw new AnswerError(
      'expected a health document with a status of pass, warn or fail; is this the address of a sidecar?',
    );
  }
  const checks = Object.entries(data.checks).slice(0, MAX_CHECKS).flatMap(toCheck);
  const { bot, positions, drain, heal, vanished } = data;
  return {
    status: data.status,
    notes: data.notes.length > 0 || data.output === null ? data.notes : [data.output],
    checks,
    bot: {
      name: bot.name,
      instance: bot.instance,
      trading: bot.trading,
      database: bot.database,
      lastTickAt: bot.last_tick_at,
    },
    positions:
      positions === null
        ? null
        : {
            open: positions.open_positions,
            pending: positions.pending_orders,
            at: positions.at,
            positions: positions.open,
            orders: positions.pending,
          },
    hold: data.hold,
    vanished:
      vanished === null ? null : { boot: vanished.boot, open: vanished.open, nowOpen: vanished.now_open },
    acknowledgedAt: data.acknowledged_at,
    undelivered: data.alerts.undelivered,
    drain,
    heal: {
      live: heal.live,
      reason: heal.reason,
      lastHour: heal.heals_last_hour ?? 0,
      capped: heal.capped,
      boot: heal.boot,
      bootsUnasked: heal.boots_unasked,
    },
  };
}

/**
 * Reads `/drains` of a sidecar: newest first.
 *
 * @throws {AnswerError} when it has no list.
 */
export function parseReceipts(body: unknown): readonly Receipt[] {
  const { data } = z.object({ drains: z.array(z.unknown()) }).safeParse(body);
  if (data === undefined) throw new AnswerError('expected {"drains":[…]}');
  return listOf(receiptSchema, MAX_RECEIPTS).parse(data.drains);
}

/** Reads `/drain` of a sidecar; null when there was none yet. @throws {AnswerError} when it is neither. */
export function parseDrain(body: unknown): DrainView | null {
  const { data } = drainSchema.safeParse(body);
  if (data !== undefined) return data;
  if (z.object({ state: z.literal('none') }).safeParse(body).success) return null;
  throw new AnswerError('expected a drain');
}

function toCheck([key, value]: [string, unknown]): Check[] {
  const [component = '', measurement = ''] = oneLine(key, MAX_NAME).split(':');
  // What cannot be read is shown as unknown: leaving it out would show the rest as the whole.
  const data = checkSchema.safeParse(Array.isArray(value) ? value[0] : value).data ?? checkSchema.parse({});
  const { observedValue, observedUnit, state, status } = data;
  const name = data.componentId ?? component;
  if (name === '') return [];
  const responseMs = observedUnit === 'ms' && typeof observedValue === 'number' ? observedValue : null;
  return [
    {
      name,
      // The draft's word is the stricter one of the two where they disagree: a "pass" must be said twice.
      state:
        state === null || (isGood(state) && status !== state)
          ? status === 'fail'
            ? 'fail'
            : 'unknown'
          : state,
      critical: data.critical,
      since: data.since,
      at: data.time,
      measured:
        observedValue === null || responseMs !== null
          ? null
          : `${measurement} ${observedValue}${observedUnit === null || observedUnit === 'count' ? '' : ` ${observedUnit}`}`.trim(),
      responseMs: responseMs !== null && responseMs >= 0 && responseMs < 1e9 ? responseMs : null,
      output: data.output,
      code: data.code,
    },
  ];
}

function toReceipt(raw: z.output<z.ZodObject<typeof receiptShape>>): Receipt {
  return {
    id: raw.drain_id,
    trigger: raw.trigger,
    state: raw.state,
    at: raw.at,
    startedAt: raw.started_at,
    durationMs: raw.duration_ms,
    boot: raw.boot,
    instance: raw.bot_instance,
    proof: raw.proof,
    attempts: raw.attempts,
    open: raw.open_positions,
    pending: raw.pending_orders,
    reason: raw.reason,
  };
}

/** True for the two states in which something can be relied on. */
export function isGood(state: CheckState): boolean {
  return state === 'pass' || state === 'warn';
}
