import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { healthRouter } from '../../src/express.ts';
import { bearerToken, createMonitor, type HealthHandlerOptions, healthHandler } from '../../src/index.ts';
import { scriptedProbe } from '../../src/testing.ts';

async function serve(listener: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function ready() {
  const monitor = createMonitor({ probes: [scriptedProbe('a')] });
  onTestFinished(() => monitor.close());
  await monitor.check('a');
  return monitor;
}

describe('a handler', () => {
  test('alone on a server answers other paths with 404 as JSON', async () => {
    const base = await serve(healthHandler(await ready()));
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    const other = await fetch(`${base}/metrics`);
    expect([other.status, other.headers.get('cache-control')]).toEqual([404, 'no-store']);
    expect(await other.json()).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  test('answers HEAD with the length of what GET would send, on a connection that stays usable', async () => {
    const base = await serve(healthHandler(await ready()));
    const body = await (await fetch(`${base}/healthz`)).text();
    const head = request(`${base}/healthz`, { method: 'HEAD' }).end();
    const [response] = await once(head, 'response');
    expect(response.headers['content-length']).toBe(String(body.length));
    response.resume();
  });

  test('shows no details to anyone when its authorize throws', async () => {
    const authorize = (): boolean => {
      throw new Error('no session store');
    };
    const base = await serve(healthHandler(await ready(), { details: 'when-authorized', authorize }));
    expect(await (await fetch(`${base}/healthz`)).json()).toEqual({ status: 'pass' });
  });

  test('follows the state of the process at each request', async () => {
    let leaving = false;
    const base = await serve(healthHandler(await ready(), { shuttingDown: () => leaving }));
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    leaving = true;
    expect((await fetch(`${base}/readyz`)).status).toBe(503);
    expect((await fetch(`${base}/livez`)).status).toBe(200);
  });

  test.each<[HealthHandlerOptions, string]>([
    [{ details: 'when-authorized' }, 'authorize: expected a function'],
    [
      { details: 'sometimes' as never },
      'details: expected always, never or when-authorized, got "sometimes"',
    ],
  ])('with %j is refused', (options, message) => {
    expect(() => healthHandler(createMonitor(), options)).toThrow(message);
    expect(() => bearerToken('')).toThrow('token: expected a text');
  });
});

test('an Express router answers below the path that it is mounted at', async () => {
  const base = await serve(express().use('/internal', healthRouter(await ready())));
  expect((await fetch(`${base}/internal/readyz/?x=1`)).status).toBe(200);
  expect((await fetch(`${base}/readyz`)).status).toBe(404);
  expect((await fetch(`${base}/internal/other`)).status).toBe(404);
});

test('terminus ends although a hook hangs, says which, and closes the monitor', async () => {
  const program = `
    import { createServer } from 'node:http';
    import { createMonitor } from '${new URL('../../src/index.ts', import.meta.url)}';
    import { terminusWithHealth } from '${new URL('../../src/terminus.ts', import.meta.url)}';
    import { scriptedProbe } from '${new URL('../../src/testing.ts', import.meta.url)}';
    const probe = scriptedProbe('a');
    const monitor = createMonitor({ probes: [probe] });
    monitor.start();
    const server = terminusWithHealth(createServer(), monitor, {
      hookTimeout: 200,
      beforeShutdown: () => new Promise(() => {}),
      onShutdown: async () => console.log('closed', probe.closed),
      logger: (message, error) => console.log(message, error.message),
    });
    server.listen(0, '127.0.0.1', () => console.log('listening'));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let said = '';
  child.stdout.on('data', (data) => {
    said += data;
  });
  await vi.waitFor(() => expect(said).toContain('listening'), { timeout: 15_000 });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  expect(said).toContain('beforeShutdown has not ended within 200 ms; the shutdown goes on without it');
  expect(said).toContain('closed 1');
});
