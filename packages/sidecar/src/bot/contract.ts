import { z } from 'zod';
import { VERSION } from '../version.ts';
import { botAnswers } from './answers.ts';

/** The body of `POST /close-positions`. */
export const closeRequest = z.object({
  drain_id: z.string().describe('the same for every attempt of one drain, and its Idempotency-Key'),
  reason: z.string().describe('for a log'),
  deadline: z.iso.datetime().describe('the moment after which nobody waits any more'),
  dry_run: z.boolean().optional().describe('true: change nothing, and say what would be closed'),
});

const schemaOf = (schema: z.ZodType): object => {
  // $schema is said once, by the document.
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' });
  return rest;
};
const json = (schema: z.ZodType) => ({ content: { 'application/json': { schema: schemaOf(schema) } } });

/**
 * What a bot must serve, in OpenAPI 3.1, from the schemas by which its answers are read. More keys are allowed
 * everywhere, and null reads as absent.
 */
export function botOpenApi(): object {
  const read = (summary: string, description: string, schema: z.ZodType) => ({
    get: { summary, responses: { '200': { description, ...json(schema) } } },
  });
  return {
    openapi: '3.1.0',
    info: {
      title: 'A bot that Botwarden can guard',
      version: VERSION,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'What a bot must serve. `botwarden check-bot URL` asks any bot which of these calls it meets, without trading.',
    },
    servers: [{ url: 'http://bot:8000' }],
    // With BOT_TOKEN; a bot may do without.
    security: [{}, { botToken: [] }],
    paths: {
      '/health': read('How is the bot?', 'it answers; all but status may be left out', botAnswers.health),
      '/models': read('Which models are loaded?', 'every model, loaded or not', botAnswers.models),
      '/positions': read(
        'What is open at the exchange?',
        'lists, or counts in their place',
        botAnswers.positions,
      ),
      '/close-positions': {
        post: {
          summary: 'Close everything',
          description:
            'The bot stops opening, cancels pending orders, closes open positions, and stays halted until it restarts. Repeated under the same key, it closes what is left and trades nothing twice.',
          parameters: [
            {
              name: 'Idempotency-Key',
              in: 'header',
              required: true,
              description: 'the drain_id',
              schema: { type: 'string' },
            },
          ],
          requestBody: { required: true, ...json(closeRequest) },
          responses: {
            '200': { description: 'it is halted; what is left', ...json(botAnswers.positions) },
            '202': { description: 'it is under way; what is left so far', ...json(botAnswers.positions) },
          },
        },
      },
    },
    components: { securitySchemes: { botToken: { type: 'http', scheme: 'bearer' } } },
  };
}
