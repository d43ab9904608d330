import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';

/** Runs an example as its own process, as a reader of the README would. */
async function start(name: string, env: Record<string, string> = {}) {
  const file = fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [file], {
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const said = { text: '' };
  child.stdout?.on('data', (data) => {
    said.text += data;
  });
  child.stderr?.on('data', (data) => {
    said.text += data;
  });
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  const base = async (): Promise<string> => {
    await vi.waitFor(() => expect(said.text).toContain('listening'), { timeout: 15_000 });
    return `http://127.0.0.1:${/"port":(\d+)/.exec(said.text)?.[1]}`;
  };
  return { child, said, exited, base };
}

async function target(answer: () => [number, string]): Promise<string> {
  const server = createServer((_request, response) => {
    const [status, body] = answer();
    response.writeHead(status).end(body);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The body, whose shape is what is tested. */
// biome-ignore lint/suspicious/noExplicitAny: see above
const json = (response: Response) => response.json() as Promise<any>;

const eventually = (check: () => Promise<void> | void) =>
  vi.waitFor(check, { timeout: 15_000, interval: 50 });

async function endsWell({
  child,
  exited,
}: {
  child: ChildProcess;
  exited: Promise<unknown[]>;
}): Promise<void> {
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
}

test('Express: the router answers, and everything else reaches the application', async () => {
  const exchange = await target(() => [200, 'ok']);
  const example = await start('express-server', {
    EXCHANGE_URL: exchange,
    DATABASE_URL: 'postgres://trader:hunter2@127.0.0.1:1/x',
  });
  const base = await example.base();
  expect(await (await fetch(base)).text()).toBe('hello');
  await eventually(async () => {
    const health = await json(await fetch(`${base}/healthz/?x=1`));
    expect(health.checks['database:responseTime'][0].code).toBe('DATABASE_UNREACHABLE');
    expect(health.checks['exchange:responseTime'][0].status).toBe('pass');
    expect(JSON.stringify(health)).not.toMatch(/hunter2/);
  });
  const ready = await fetch(`${base}/readyz`);
  expect(ready.status).toBe(503);
  expect(ready.headers.get('cache-control')).toBe('no-store');
  const posted = await fetch(`${base}/readyz`, { method: 'POST' });
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  const head = await fetch(`${base}/livez`, { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  expect((await fetch(`${base}/nowhere`)).status).toBe(404);
  await endsWell(example);
});

test('node:http: details are for those who bring the token', async () => {
  const example = await start('node-http', { HEALTH_TOKEN: 'a-long-token' });
  const base = await example.base();
  await eventually(async () => expect((await fetch(`${base}/readyz`)).status).toBe(200));
  const read = async (authorization: string) =>
    (await fetch(`${base}/healthz`, { headers: { authorization } })).json() as Promise<object>;
  for (const wrong of ['', 'Bearer wrong', 'Bearer', 'Basic a-long-token', 'Bearer a-long-token2']) {
    expect(Object.keys(await read(wrong))).toEqual(['status']);
  }
  expect(await read('Bearer a-long-token')).toHaveProperty('checks');
  expect(await (await fetch(`${base}/other`)).text()).toBe('hello');
  await endsWell(example);
});

test('terminus: queries and methods are answered, readiness falls with the signal while the server still answers', async () => {
  const example = await start('terminus-server');
  const base = await example.base();
  await eventually(async () => expect((await fetch(`${base}/readyz?x=1`)).status).toBe(200));
  expect((await fetch(`${base}/readyz`, { method: 'POST' })).status).toBe(405);
  expect(await (await fetch(`${base}/any`)).text()).toBe('hello');
  example.child.kill('SIGTERM');
  await eventually(async () => {
    const ready = await fetch(`${base}/readyz`);
    expect([ready.status, (await json(ready)).output]).toEqual([503, 'shutting down']);
  });
  expect((await fetch(`${base}/livez`)).status).toBe(200);
  expect(await example.exited).toEqual([0, null]);
  expect(example.said.text).toContain('bye');
});

test('a worker without HTTP works while its broker accepts, and stops when it does not', async () => {
  const broker = await target(() => [200, '']);
  const example = await start('worker', { BROKER_HOST: '127.0.0.1', BROKER_PORT: new URL(broker).port });
  await eventually(() => expect(example.said.text).toMatch(/broker: unknown -> pass.*worked/s));
  await endsWell(example);
  const lonely = await start('worker', { BROKER_HOST: '127.0.0.1', BROKER_PORT: '1' });
  await eventually(() =>
    expect(lonely.said.text).toMatch(/broker: unknown -> fail no connection to 127\.0\.0\.1:1/),
  );
  expect(lonely.said.text).not.toContain('worked');
  await endsWell(lonely);
});

test('a dashboard shows several declared targets, their history and their metrics', async () => {
  const one = await target(() => [200, '{"status":"ok"}']);
  const two = await target(() => [500, '']);
  const example = await start('dashboard', { BOT_ONE_URL: one, BOT_TWO_URL: two });
  const base = await example.base();
  await eventually(async () => {
    const page = await (await fetch(base)).text();
    expect(page).toMatch(/^bot-one +pass +\./m);
    expect(page).toMatch(/^bot-two +fail +x+ http.* answered 500/m);
  });
  expect(await (await fetch(`${base}/metrics`)).text()).toContain('botwarden_probe_up{probe="bot-two"} 0');
  await eventually(async () => {
    const ready = await fetch(`${base}/readyz`);
    expect([ready.status, (await json(ready)).status]).toEqual([200, 'warn']);
  });
  await endsWell(example);
});
