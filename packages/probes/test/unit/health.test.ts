import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import {
  answer,
  createMonitor,
  HEALTH_PATHS,
  healthJson,
  type MonitorOptions,
  notFound,
  probe,
} from '../../src/index.ts';
import { collectProbeMetrics } from '../../src/prometheus.ts';
import { createFakeClock, type ScriptStep, scriptedProbe } from '../../src/testing.ts';

async function monitorOf(probes: Record<string, ScriptStep>, options: MonitorOptions = {}) {
  const clock = createFakeClock();
  const monitor = createMonitor({
    probes: Object.entries(probes).map(([name, step]) => scriptedProbe(name, step)),
    interval: '1s',
    spread: 0,
    failureThreshold: 1,
    clock,
    ...options,
  });
  onTestFinished(() => monitor.close());
  monitor.start();
  await clock.advance(0);
  return { clock, monitor, get: (url: string, more = {}) => answer({ url }, monitor.snapshot(), more) };
}

const dsn = new Error('no route to postgres://trader:hunter2@db/bot');

test.each([
  // probes, /livez, /readyz, /startupz, /healthz, root status
  [{ a: 'pass' }, 200, 200, 200, 200, 'pass'],
  [{ a: 'warn' }, 200, 200, 200, 200, 'warn'],
  [{ a: 'fail' }, 503, 503, 503, 503, 'fail'],
  [{ a: 'hang' }, 200, 503, 503, 503, 'fail'],
] as const)(
  '%j answers livez %d, readyz %d, startupz %d, healthz %d as %s',
  async (probes, live, ready, started, health, status) => {
    const { get } = await monitorOf(probes, { groups: { liveness: ['a'], readiness: ['a'] } });
    expect(Object.keys(HEALTH_PATHS).map((path) => get(path)?.status)).toEqual([
      live,
      ready,
      started,
      health,
    ]);
    expect(JSON.parse(get('/healthz')?.body ?? '')).toEqual({ status });
  },
);

test('paused and stale are not ready', async () => {
  const { monitor, clock, get } = await monitorOf({ a: 'pass' });
  monitor.pause();
  expect(get('/readyz')?.status).toBe(503);
  monitor.resume();
  expect(get('/readyz')?.status).toBe(200);
  clock.suspend(60_000);
  expect(get('/readyz')?.status).toBe(503);
});

test.each(['/readyz', '/readyz/', '/readyz?verbose', '/readyz/?a=/livez', '/readyz#x'])(
  '%s is /readyz',
  async (url) => {
    const { get } = await monitorOf({ a: 'pass' });
    expect(get(url)).toEqual(get('/readyz'));
    expect(get(url)?.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/health+json',
    });
  },
);

test.each(['/', '/readyzz', '/READYZ', '//readyz', '/readyz//', '/toString', '/__proto__', '/x/readyz'])(
  '%s is none of ours',
  async (url) => {
    const { get } = await monitorOf({ a: 'pass' });
    expect(get(url)).toBeUndefined();
    expect(notFound({ url })).toMatchObject({ status: 404, headers: { 'cache-control': 'no-store' } });
  },
);

test('HEAD answers as GET does, without the body; other methods are refused with those that are allowed', async () => {
  const { monitor } = await monitorOf({ a: 'fail' });
  const get = answer({ url: '/readyz' }, monitor.snapshot());
  expect(answer({ url: '/readyz', method: 'HEAD' }, monitor.snapshot())).toEqual({ ...get, body: '' });
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const refused = answer({ url: '/readyz', method }, monitor.snapshot());
    expect(refused).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect(JSON.parse(refused?.body ?? '').error.code).toBe('METHOD_NOT_ALLOWED');
  }
});

test('details are shown only when asked for, and without credentials', async () => {
  const { get } = await monitorOf({ database: dsn, api: 'pass' });
  expect(get('/healthz')?.body).toBe('{"status":"fail"}');
  const shown = JSON.parse(
    get('/healthz', { details: true, document: { version: '1', serviceId: 'bot' } })?.body ?? '',
  );
  expect(shown).toMatchObject({ status: 'fail', version: '1', serviceId: 'bot' });
  expect(shown.checks['database:responseTime'][0]).toMatchObject({
    status: 'fail',
    state: 'fail',
    critical: true,
    code: 'PROBE_FAILED',
    output: 'no route to postgres://***@db/bot',
  });
  expect(shown.checks['api:responseTime'][0]).not.toHaveProperty('output');
  expect(Object.keys(JSON.parse(get('/livez', { details: true })?.body ?? '').checks)).toEqual([]);
});

test('a process on its way out is not ready, but alive', async () => {
  const { get } = await monitorOf({ a: 'pass' });
  const leaving = { shuttingDown: true, details: true };
  expect(Object.keys(HEALTH_PATHS).map((path) => get(path, leaving)?.status)).toEqual([200, 503, 200, 503]);
  expect(JSON.parse(get('/readyz', leaving)?.body ?? '').output).toBe('shutting down');
});

test('health+json has no word for unknown, paused and stale, which show as fail with their own word beside it', async () => {
  const { monitor, clock } = await monitorOf({ a: 'pass' });
  monitor.add({ probe: scriptedProbe('b'), initialDelay: '1h' });
  const state = (key: string) => healthJson(monitor.snapshot()).checks?.[`${key}:responseTime`]?.[0];
  expect(state('b')).toMatchObject({ status: 'fail', state: 'unknown', output: 'not checked yet' });
  clock.suspend(60_000);
  expect(state('a')).toMatchObject({ status: 'fail', state: 'stale', code: 'PROBE_STALE' });
  monitor.pause({ reason: 'upgrade' });
  expect(state('a')).toMatchObject({ status: 'fail', state: 'paused', output: 'paused: upgrade' });
});

test('observed values stand with their unit, and the time it took where there is none', async () => {
  const { monitor } = await monitorOf(
    {},
    { probes: [probe('m', () => ({ value: 3, unit: 'count' }), { measurement: 'loaded' })] },
  );
  expect(healthJson(monitor.snapshot()).checks?.['m:loaded']?.[0]).toMatchObject({
    observedValue: 3,
    observedUnit: 'count',
  });
});

test('metrics follow the probes, run none, and come off again', async () => {
  const registry = new Registry();
  const { monitor, clock } = await monitorOf({ api: 'pass', db: 'fail' });
  const off = collectProbeMetrics(monitor, registry);
  await clock.advance(1000);
  const text = await registry.metrics();
  expect(text).toContain('botwarden_probe_up{probe="api"} 1');
  expect(text).toContain('botwarden_probe_up{probe="db"} 0');
  expect(text).toContain('botwarden_probe_runs_total{probe="db",outcome="fail"} 1');
  expect(text).toContain('botwarden_probe_duration_seconds_count{probe="api"} 1');
  expect(text).toMatch(/botwarden_probe_last_success_timestamp_seconds\{probe="api"\} 1767225601/);
  expect(text).not.toContain('last_success_timestamp_seconds{probe="db"}');
  expect(text).toContain('botwarden_ready 0');
  clock.suspend(60_000);
  expect(await registry.metrics()).toContain('botwarden_probe_up{probe="api"} 0');
  await monitor.remove('db');
  expect(await registry.metrics()).not.toContain('botwarden_probe_up{probe="db"}');
  off();
  expect(await registry.metrics()).toBe('\n');
});
