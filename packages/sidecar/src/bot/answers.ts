import { z } from 'zod';
import { BotError, type BotHealth, type BotModel, type BotPositions } from './bot.ts';

// Keys this project does not know are ignored, and null reads as absent (Python's None). A known key of another
// type is an error: an answer that is half understood must never pass for health, or for flat.

const instant = z.iso
  .datetime({ offset: true, error: 'expected ISO 8601 with a time zone, like 2026-01-31T12:00:00Z' })
  .transform((text) => new Date(text));
const absent = <T>(value: T | null | undefined): T | null => value ?? null;

const health = z
  .object({
    status: z.string().describe('ok'),
    instance: z
      .string()
      .min(1)
      .nullish()
      .describe('the value of BOTWARDEN_BOOT, which the gate gives the bot'),
    trading: z.enum(['running', 'halted']).nullish(),
    last_tick_at: instant.nullish().describe('when the trading loop last turned'),
    database: z.enum(['connected', 'disconnected']).nullish(),
    dry_run: z.boolean().nullish().describe('true: the close call knows dry_run'),
  })
  .transform(
    (body): BotHealth => ({
      status: body.status,
      instance: absent(body.instance),
      trading: absent(body.trading),
      lastTickAt: absent(body.last_tick_at),
      database: absent(body.database),
      dryRun: body.dry_run === true,
    }),
  );

const models = z
  .object({
    models: z.array(
      z.object({
        name: z.string().min(1),
        loaded: z.boolean(),
        version: z.string().nullish(),
        loaded_at: instant.nullish(),
      }),
    ),
  })
  .transform((body): readonly BotModel[] =>
    body.models.map((model) => ({
      name: model.name,
      loaded: model.loaded,
      version: absent(model.version),
      loadedAt: absent(model.loaded_at),
    })),
  );

const countOrList = z.union([z.int().nonnegative(), z.array(z.unknown())], {
  error: 'expected a list, or a count that is a whole number',
});
const positions = z
  .object({ open_positions: countOrList, pending_orders: countOrList })
  .transform((body): BotPositions => {
    const open = typeof body.open_positions === 'number' ? null : body.open_positions;
    const pending = typeof body.pending_orders === 'number' ? null : body.pending_orders;
    return {
      open: open === null ? (body.open_positions as number) : open.length,
      pending: pending === null ? (body.pending_orders as number) : pending.length,
      detail: { open, pending },
    };
  });

/** The schemas of the bot's answers, by which they are read and described. */
export const botAnswers = { health, models, positions } as const;

/** Reads the body of `GET /health`. Throws `BOT_MALFORMED` naming each field that is wrong. */
export const readHealth = reader(health);
/** Reads the body of `GET /models`. Throws `BOT_MALFORMED`. */
export const readModels = reader(models);
/** Reads the body of `GET /positions` and of a close answer. Throws `BOT_MALFORMED`. */
export const readPositions = reader(positions);

function reader<T>(schema: z.ZodType<T>): (body: unknown, call: string) => T {
  return (body, call) => {
    const result = schema.safeParse(body);
    if (result.success) return result.data;
    // Only names of fields and what was expected: values could be anything, a secret among them.
    const wrong = result.error.issues
      .slice(0, 5)
      .map((issue) => `${issue.path.length === 0 ? 'the body' : issue.path.join('.')}: ${issue.message}`);
    throw new BotError('BOT_MALFORMED', `${call}: the answer has another shape: ${wrong.join('; ')}`);
  };
}
