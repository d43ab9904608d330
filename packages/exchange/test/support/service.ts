import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PAPER_KEY, type PaperExchange } from '@botwarden/paper-exchange';
import { freePort, type Running, start, until } from '@botwarden/service/testing';

/** What callers carry in these tests. */
export const TOKEN = 'a-token-for-the-tests';

/** The program, running. */
export interface Service extends Running {
  readonly get: (path: string, token?: string | null) => Promise<Reply>;
  readonly close: (body?: object, options?: CloseOptions) => Promise<Reply>;
}

/** An answer of the program. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at whatever came
  readonly body: any;
}

/** How a close is asked for. */
export interface CloseOptions {
  readonly key?: string;
  readonly token?: string | null;
  /** From now, in milliseconds. Default 20 seconds. */
  readonly within?: number;
  readonly signal?: AbortSignal;
}

/** How the program is started, beside what every test has. */
export interface ServiceOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly key?: { readonly key: string; readonly secret: string; readonly passphrase: string };
  /** Default: until it has read the account once. `listening`: until it answers at all. */
  readonly until?: 'ready' | 'listening';
}

/** Starts the real program against a paper exchange, by the dialect that ccxt's name of an exchange stands for. */
export async function startService(
  paper: PaperExchange,
  id: string,
  { env = {}, key = PAPER_KEY, until: stage = 'ready' }: ServiceOptions = {},
): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'exchange-'));
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `${text}\n`);
    return path;
  };
  const port = await freePort();
  const running = start('node', ['src/main.ts'], {
    cwd: new URL('../..', import.meta.url).pathname,
    url: `http://127.0.0.1:${port}`,
    env: {
      EXCHANGE_ID: id,
      EXCHANGE_KEY_FILE: file('key', key.key),
      EXCHANGE_SECRET_FILE: file('secret', key.secret),
      EXCHANGE_PASSWORD_FILE: file('password', key.passphrase),
      EXCHANGE_TOKEN: TOKEN,
      EXCHANGE_URL: paper.url,
      EXCHANGE_TIMEOUT: '2s',
      HOST: '127.0.0.1',
      PORT: String(port),
      ...env,
    },
  });
  const bearer = (token: string | null): Record<string, string> =>
    token === null ? {} : { authorization: `Bearer ${token}` };
  const service: Service = {
    ...running,
    get: async (path, token = TOKEN) =>
      reply(await fetch(`${running.url}${path}`, { headers: bearer(token) })),
    close: async (body = {}, { key: idempotency, token = TOKEN, within = 20_000, signal } = {}) =>
      reply(
        await fetch(`${running.url}/close-positions`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            ...(idempotency === undefined ? {} : { 'idempotency-key': idempotency }),
            ...bearer(token),
          },
          body: JSON.stringify({
            drain_id: idempotency ?? 'a-drain',
            reason: 'a test',
            deadline: new Date(Date.now() + within).toISOString(),
            ...body,
          }),
          ...(signal === undefined ? {} : { signal }),
        }),
      ),
  };
  await until(
    `the service is ${stage}: ${running.output()}`,
    async () => {
      if (running.child.exitCode !== null) throw new Error(`it ended: ${running.output()}`);
      const path = stage === 'ready' ? '/health' : '/ping';
      return fetch(`${running.url}${path}`).then(
        ({ ok }) => ok,
        () => false,
      );
    },
    30_000,
  );
  return service;
}

async function reply(response: Response): Promise<Reply> {
  return { status: response.status, headers: response.headers, body: await response.json() };
}
