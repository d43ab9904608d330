import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { VERSION } from '../../src/version.ts';
import { misbehave, type Running, startBot, startSidecar, until } from '../support/processes.ts';

interface Described {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, unknown>>;
}
const text = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');
const document: {
  info: { version: string };
  paths: Record<string, Record<string, { responses: Record<string, Described> }>>;
} = parse(text);
// The form of a time is tested where times are made.
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(document, 'openapi');

const TOKEN = 'the-drain-token-of-this-test';
/** What only a person calls. */
const PERSON = [
  ['DELETE', '/hold'],
  ['POST', '/acknowledge'],
] as const;
const seen = new Set<string>();

/** Asks, and holds the answer against what openapi.yaml says of that call and status. */
async function ask(
  sidecar: Running,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  token?: string,
  more: { readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<{ status: number; body: unknown }> {
  const headers: Record<string, string> = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...more.headers,
  };
  const answer = await fetch(sidecar.url + path, { ...more, method, headers });
  const name = path.replace(/\?.*/, '');
  // Another method has no place of its own: it is asked as PUT, and counted with the first call of its path.
  const key = method === 'PUT' ? firstOf(name) : method.toLowerCase();
  const call = `${key} ${name} ${answer.status}`;
  seen.add(call);
  let pointer = `/paths/${name.replaceAll('/', '~1')}/${key}/responses/${answer.status}`;
  const described = document.paths[name]?.[key]?.responses[answer.status];
  expect(described, `${call} is not in openapi.yaml`).toBeDefined();
  if (described?.$ref !== undefined) pointer = described.$ref.slice(1);
  const type = (answer.headers.get('content-type') ?? '').replace(/;.*/, '');
  const body = type.endsWith('json') ? await answer.json() : await answer.text();
  const schema = `openapi#${pointer}/content/${type.replaceAll('/', '~1')}/schema`;
  const validate = ajv.getSchema(schema);
  expect(validate, `${call} as ${type}`).toBeDefined();
  expect(validate?.(body) === true ? [] : validate?.errors, `${call}: ${JSON.stringify(body)}`).toEqual([]);
  return { status: answer.status, body };
}

const firstOf = (path: string): string => Object.keys(document.paths[path] ?? {})[0] ?? '';

describe('openapi.yaml describes what the sidecar answers', () => {
  let bot: Running;
  let sidecar: Running;
  const paths = Object.keys(document.paths);
  const reads = paths.filter((path) => document.paths[path]?.get !== undefined);
  beforeAll(async () => {
    bot = await startBot();
    sidecar = await startSidecar({
      BOT_URL: bot.url,
      PROBE_INTERVAL: '200ms',
      STARTUP_GRACE: '1s',
      DRAIN_TIMEOUT: '7s',
      DRAIN_TOKEN: TOKEN,
    });
  });
  afterAll(async () => {
    await sidecar?.end();
    await bot?.end();
  });
  const readyIs = (status: number) =>
    until(`/readyz answers ${status}`, async () => (await ask(sidecar, 'GET', '/readyz')).status === status);

  it('names every path that there is, and no other, and this version', async () => {
    const answer = await fetch(`${sidecar.url}/nothing`);
    const { error } = (await answer.json()) as { error: { message: string } };
    expect(error.message.match(/\/[a-z.-]+(?=,|$)/g)).toEqual(paths);
    expect(document.info.version).toBe(VERSION);
  });

  it('while it starts, and when all is well', async () => {
    for (const path of reads) await ask(sidecar, 'GET', path);
    await readyIs(200);
    await until('what is open is known', async () =>
      JSON.stringify((await ask(sidecar, 'GET', '/healthz')).body).includes('"open_positions":'),
    );
    for (const path of reads) await ask(sidecar, 'GET', path);
    for (const path of paths) await ask(sidecar, 'PUT', path);
    await ask(sidecar, 'POST', '/drain');
    await ask(sidecar, 'POST', '/drain', 'wrong');
    const gate = { headers: { 'botwarden-boot': 'boot-A' } };
    await ask(sidecar, 'GET', '/livez', TOKEN, gate);
    await ask(sidecar, 'GET', '/livez', 'wrong', gate);
    await ask(sidecar, 'POST', '/drain', TOKEN, { body: '{"boot":"boot-B"}' });
    await ask(sidecar, 'POST', '/drain', TOKEN, { body: '{' });
    for (const [method, path] of PERSON) {
      await ask(sidecar, method, path, TOKEN);
      await ask(sidecar, method, path, 'wrong');
    }
  });

  it('while the bot is ill', async () => {
    await misbehave(bot, 'unload-model');
    await until('a restart is asked for', async () => (await ask(sidecar, 'GET', '/livez')).status === 503);
    for (const path of reads) await ask(sidecar, 'GET', path);
  });

  it('while it drains, and afterwards', async () => {
    await misbehave(bot, 'fail-close');
    await ask(sidecar, 'POST', '/drain?wait=false', TOKEN);
    for (const path of reads) await ask(sidecar, 'GET', path);
    expect((await ask(sidecar, 'POST', '/drain', TOKEN)).status).toBe(503);
    for (const path of reads) await ask(sidecar, 'GET', path);
    await misbehave(bot, 'none');
    expect((await ask(sidecar, 'POST', '/drain', TOKEN)).status).toBe(200);
    await ask(sidecar, 'GET', '/livez', TOKEN, { headers: { 'botwarden-boot': 'boot-A' } });
    for (const path of reads) await ask(sidecar, 'GET', path);
  });

  it('without a token', async () => {
    const open = await startSidecar({ BOT_URL: bot.url });
    try {
      expect((await ask(open, 'POST', '/drain', TOKEN)).status).toBe(403);
      await ask(open, 'GET', '/livez', TOKEN, { headers: { 'botwarden-boot': 'boot-A' } });
      for (const [method, path] of PERSON) await ask(open, method, path, TOKEN);
      expect((await ask(open, 'GET', '/startupz')).status).toBe(503);
    } finally {
      await open.end();
    }
  });

  it('is served as it stands in openapi.yaml, and what a bot must serve as in openapi-bot.yaml', async () => {
    const again = 'npm --prefix packages/sidecar run openapi';
    const { body } = await ask(sidecar, 'GET', '/openapi.json');
    expect(body, `${again} writes it anew`).toEqual(document);
    const bots = parse(readFileSync(new URL('../../openapi-bot.yaml', import.meta.url), 'utf8'));
    expect((await ask(sidecar, 'GET', '/openapi-bot.json')).body, `${again} writes it anew`).toEqual(bots);
  });

  it('and each answer that it describes was seen here', () => {
    const described = Object.entries(document.paths).flatMap(([path, calls]) =>
      Object.entries(calls).flatMap(([method, { responses }]) =>
        Object.keys(responses).map((status) => `${method} ${path} ${status}`),
      ),
    );
    expect(described.filter((call) => !seen.has(call))).toEqual([]);
  });
});
