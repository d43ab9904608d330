import { z } from 'zod';
import { VERSION } from '../version.ts';
import { botsAnswer, errorAnswer, healthAnswer, oneBotAnswer } from './contract.ts';

const schemaOf = (schema: z.ZodType): object => {
  // $schema is said once, by the document.
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    reused: 'inline',
    // Of the types here; in OpenAPI it would mean something else.
    override: ({ jsonSchema }) => void delete jsonSchema.readOnly,
  });
  return rest;
};
const json = (schema: object, type = 'application/json') => ({ content: { [type]: { schema } } });

/** The API of the dashboard, in OpenAPI 3.1, from the schemas that its answers are typed by. */
export function openApi(): object {
  const refused = { description: 'refused, and why', ...json(schemaOf(errorAnswer)) };
  // By the password, by another site, by a name that is not one of ALLOWED_HOSTS.
  const access = { '401': refused, '403': refused, '421': refused };
  const page = (summary: string) => ({
    get: {
      summary,
      responses: {
        ...access,
        '200': { description: 'HTML', content: { 'text/html': { schema: { type: 'string' } } } },
        '404': refused,
      },
    },
  });
  const bot = { name: 'bot', in: 'path', required: true, schema: { type: 'string' } };
  const health = (summary: string) => ({
    get: {
      summary,
      security: [{}],
      responses: Object.fromEntries(
        ['200', '503'].map((status) => [
          status,
          {
            description: status === '200' ? 'yes' : 'no',
            content: {
              'application/json': { schema: schemaOf(healthAnswer) },
              'application/health+json': { schema: schemaOf(healthAnswer) },
            },
          },
        ]),
      ),
    },
  });
  return {
    openapi: '3.1.0',
    info: {
      title: 'Botwarden dashboard',
      version: VERSION,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'What the dashboard answers, on port 9500. All of it comes from memory: no request makes a probe run or waits for a database.',
    },
    servers: [{ url: 'http://localhost:9500' }],
    // With DASHBOARD_USER and DASHBOARD_PASSWORD; without them it answers anyone on loopback.
    security: [{}, { basic: [] }],
    paths: {
      '/api/bots': {
        get: {
          summary: 'Every bot',
          responses: { '200': { description: 'as it is now', ...json(schemaOf(botsAnswer)) }, ...access },
        },
      },
      '/api/bots/{bot}': {
        get: {
          summary: 'One bot, its last hour and its timeline',
          parameters: [bot],
          responses: {
            ...access,
            '200': { description: 'as it is now', ...json(schemaOf(oneBotAnswer)) },
            '404': refused,
          },
        },
      },
      '/': page('The page with every bot'),
      '/bots/{bot}': { ...page('The page of one bot'), parameters: [bot] },
      '/events': {
        get: {
          summary: 'What changes on a page, as server-sent events',
          parameters: [
            { name: 'bot', in: 'query', schema: { type: 'string' } },
            { name: 'since', in: 'query', schema: { type: 'string' } },
          ],
          responses: {
            ...access,
            '200': {
              description: 'for as long as the page is open',
              content: { 'text/event-stream': { schema: { type: 'string' } } },
            },
            '404': refused,
            '503': refused,
          },
        },
      },
      '/livez': health('Is the dashboard itself alive?'),
      '/readyz': health('Does it reach the sidecars?'),
      '/healthz': health('All of it, as health+json'),
      '/metrics': {
        get: {
          summary: 'Prometheus text',
          responses: {
            ...access,
            '200': { description: 'metrics', content: { 'text/plain': { schema: { type: 'string' } } } },
          },
        },
      },
      '/openapi.json': {
        get: {
          summary: 'This document',
          responses: { '200': { description: 'OpenAPI 3.1', ...json({ type: 'object' }) }, ...access },
        },
      },
    },
    components: {
      securitySchemes: { basic: { type: 'http', scheme: 'basic' } },
    },
  };
}
