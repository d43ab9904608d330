import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';

const PROGRAM = `
import { createServer } from 'node:http';
import { createMonitor, healthHandler, httpProbe } from '${new URL('../../src/index.ts', import.meta.url)}';
const monitor = createMonitor({
  probes: [httpProbe({ name: 'api', url: process.argv[1] })],
  interval: 200, timeout: 5000, staleAfter: 400, spread: 0, failureThreshold: 1,
});
monitor.on('change', ({ kind, name, from, to }) => console.log('change', kind, name, from, to));
monitor.start();
const server = createServer(healthHandler(monitor, { details: 'always' }));
server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));
`;

test.skipIf(process.platform === 'win32')(
  'a process suspended for longer than a result is worth is not ready when it resumes, until a new run has passed',
  async () => {
    // Once `hung`, the target never answers: what is read after the resumption can only come from before it.
    let hung = false;
    const target = createServer((_request, response) => {
      if (!hung) response.end('ok');
    });
    await once(target.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(target.address() as AddressInfo).port}/`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, url], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      child.kill('SIGKILL');
      target.closeAllConnections();
      target.close();
    });
    let said = '';
    child.stdout.on('data', (data) => {
      said += data;
    });
    await vi.waitFor(() => expect(said).toContain('probe api unknown pass'), { timeout: 10_000 });
    const port = Number(/port (\d+)/.exec(said)?.[1]);
    expect(await read(port)).toMatchObject({ code: 200 });

    hung = true;
    target.closeAllConnections();
    child.kill('SIGSTOP');
    // The time itself is what is tested: longer than the bound of 400 ms.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const waiting = read(port);
    child.kill('SIGCONT');
    const { code, body } = await waiting;
    expect(code).toBe(503);
    expect(body.checks['api:responseTime']?.[0]?.status).toBe('fail');

    hung = false;
    target.closeAllConnections();
    await vi.waitFor(async () => expect(await read(port)).toMatchObject({ code: 200 }), { timeout: 10_000 });
  },
);

interface Health {
  checks: Record<string, Array<{ status: string }>>;
}

function read(port: number): Promise<{ code: number | undefined; body: Health }> {
  return new Promise((resolve, reject) => {
    get(`http://127.0.0.1:${port}/readyz`, { agent: false }, async (response) => {
      const body = JSON.parse(Buffer.concat(await response.toArray()).toString()) as Health;
      resolve({ code: response.statusCode, body });
    }).on('error', reject);
  });
}
