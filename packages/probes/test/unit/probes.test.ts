import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  diskProbe,
  eventLoopProbe,
  expectFreshTick,
  expectModels,
  httpProbe,
  memoryProbe,
  modelProbe,
  type Probe,
  redisProbe,
  tcpProbe,
  tlsProbe,
} from '../../src/index.ts';

const run = async (probe: Probe) => probe.run(new AbortController().signal);

test.each<[string, () => Probe, string]>([
  [
    'a URL that is none',
    () => httpProbe({ name: 'a', url: 'hunter2 at bot' }),
    'url: expected an absolute http: or https: URL, got "a text that is no URL"',
  ],
  [
    'a URL of another scheme',
    () => httpProbe({ name: 'a', url: 'ftp://x' }),
    'url: expected an http: or https: URL, got "ftp:…"',
  ],
  [
    'a name with a space',
    () => httpProbe({ name: 'a b', url: 'http://x' }),
    'name: expected letters, digits',
  ],
  [
    'no body at all',
    () => httpProbe({ name: 'a', url: 'http://x', maxBodyBytes: 0 }),
    'maxBodyBytes: expected a whole number of at least 1, got 0',
  ],
  [
    'half a redirect',
    () => httpProbe({ name: 'a', url: 'http://x', maxRedirects: 0.5 }),
    'maxRedirects: expected a whole number of at least 0, got 0.5',
  ],
  [
    'the Open Inference Protocol without names',
    () => modelProbe({ name: 'a', url: 'http://x', protocol: 'open-inference' }),
    'expected: expected the names of the models',
  ],
  [
    'a port that is none',
    () => tcpProbe({ name: 'a', host: 'x', port: 0 }),
    'port: expected a whole number from 1 to 65535, got 0',
  ],
  [
    'a warning after the failure',
    () => tlsProbe({ name: 'a', host: 'x', port: 1, minDays: 20 }),
    'warnDays: expected at least minDays, 20, got 14',
  ],
  [
    'more than all',
    () => diskProbe({ name: 'a', path: '/', maxPercent: 101 }),
    'maxPercent: expected a number above 0 and of at most 100, got 101',
  ],
  [
    'a warning above the failure',
    () => memoryProbe({ name: 'a', maxPercent: 50, warnPercent: 60 }),
    'warnPercent: expected a number above 0 and of at most maxPercent, 50, got 60',
  ],
  [
    'a Redis of another scheme',
    () => redisProbe({ name: 'a', url: 'http://:hunter2@x' }),
    'url: expected a URL such as redis://user:password@host:6379, got "a text that is none"',
  ],
  [
    'a warning later than the failure',
    () => eventLoopProbe({ name: 'a', maxDelay: 10, warnDelay: 20 }),
    'warnDelay: expected at most maxDelay, 10 ms, got 20',
  ],
])('%s is refused', (_name, make, message) => {
  expect(make).toThrow(message);
});

const NOW = Date.UTC(2026, 0, 1, 12);
test.each([
  ['2026-01-01T11:59:30Z', 30],
  ['2026-01-01T11:59:30.123456+00:00', 29.877],
  ['2026-01-01T12:59:30+0100', 30],
  // Python's naive utcnow().isoformat()
  ['2026-01-01T11:59:30.500000', 29.5],
  ['2026-01-01 11:59:30', 30],
  [NOW - 30_000, 30],
  [new Date(NOW - 30_000), 30],
  ['2026-01-01T12:00:20Z', 0],
])('a tick of %j is %d s old', (tick, age) => {
  expect(expectFreshTick(tick, 60_000, NOW)).toMatchObject({ value: age, unit: 's' });
});

test.each([
  ['2026-01-01T11:58:00Z', 'TICK_STALE'],
  [NOW / 1000, 'TICK_STALE'],
  ['2026-01-01T13:00:00Z', 'TICK_MISSING'],
  ['yesterday', 'TICK_MISSING'],
  ['', 'TICK_MISSING'],
  [undefined, 'TICK_MISSING'],
  [true as never, 'TICK_MISSING'],
])('a tick of %j fails as %s', (tick, code) => {
  expect(() => expectFreshTick(tick, 60_000, NOW)).toThrow(expect.objectContaining({ code }));
});

const up = { name: 'up', loaded: true };
const down = { name: 'down', loaded: false };
test.each([
  [[up], 'any', true],
  [[up, down], 'any', false],
  [[], 'any', false],
  [[], 'none', true],
  [[down], 'none', false],
  [[up, down], ['up'], true],
  [[up, down], ['up', 'down'], false],
  [[up], ['other'], false],
  [[down], [], false],
  [[], [], false],
] as const)('models %j where %j is expected: %s', (models, expected, passes) => {
  const judge = () => expectModels([...models], expected as never);
  if (passes) expect(judge()).toMatchObject({ unit: 'count' });
  else expect(judge).toThrow(expect.objectContaining({ code: 'MODELS_NOT_LOADED' }));
});

test('a disk is judged as df shows it, and a path that is not there fails', async () => {
  expect(await run(diskProbe({ name: 'd', path: '/', maxPercent: 100 }))).toMatchObject({ unit: 'percent' });
  await expect(run(diskProbe({ name: 'd', path: '/', maxPercent: 0.001 }))).rejects.toMatchObject({
    code: 'DISK_FULL',
  });
  await expect(run(diskProbe({ name: 'd', path: '/nowhere/at/all' }))).rejects.toThrow('ENOENT');
});

test('the event loop is judged by the longest time it was held up', async () => {
  const probe = eventLoopProbe({ name: 'l', maxDelay: 100, warnDelay: 100 });
  await run(probe);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const end = performance.now() + 300;
  while (performance.now() < end);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await expect(run(probe)).rejects.toMatchObject({ code: 'EVENT_LOOP_DELAYED' });
  await probe.close?.();
});

const v2 = 'sys/fs/cgroup';
const v1 = 'sys/fs/cgroup/memory';
test.each<[string, Record<string, string>, number | undefined]>([
  [
    'version 2, without the cache',
    {
      'proc/self/cgroup': '0::/',
      [`${v2}/memory.max`]: '1000',
      [`${v2}/memory.current`]: '900',
      [`${v2}/memory.stat`]: 'anon 1\ninactive_file 400\n',
    },
    50,
  ],
  [
    'version 2, a limit further up',
    {
      'proc/self/cgroup': '0::/a/b',
      [`${v2}/a/b/memory.max`]: 'max',
      [`${v2}/a/b/memory.current`]: '10',
      [`${v2}/a/memory.max`]: '1000',
      [`${v2}/a/memory.current`]: '600',
    },
    60,
  ],
  [
    'version 1',
    {
      'proc/self/cgroup': '5:cpu:/x\n4:memory:/x\n',
      [`${v1}/x/memory.limit_in_bytes`]: '1000',
      [`${v1}/x/memory.usage_in_bytes`]: '700',
      [`${v1}/x/memory.stat`]: 'total_inactive_file 300',
    },
    40,
  ],
  [
    'version 1 without a limit',
    {
      'proc/self/cgroup': '4:memory:/x\n',
      [`${v1}/x/memory.limit_in_bytes`]: '9223372036854771712',
      [`${v1}/x/memory.usage_in_bytes`]: '700',
    },
    undefined,
  ],
  ['no control groups', {}, undefined],
])('memory is judged against the limit of %s', async (_name, files, percent) => {
  const root = await mkdtemp(join(tmpdir(), 'botwarden-cgroup-'));
  onTestFinished(() => rm(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), `${text}\n`);
  }
  const seen = await run(memoryProbe({ name: 'm', root, maxPercent: 100 }));
  expect(seen).toMatchObject({ unit: 'percent' });
  expect(seen?.output).toContain(percent === undefined ? 'of the machine' : `control group: ${percent} %`);
  if (percent === undefined) return;
  const probe = memoryProbe({ name: 'm', root, maxPercent: percent - 1, warnPercent: 1 });
  await expect(run(probe)).rejects.toMatchObject({ code: 'MEMORY_EXHAUSTED' });
});
