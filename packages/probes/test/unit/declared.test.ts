import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DeclarationError, loadProbes } from '../../src/declared.ts';
import { publishedSchema } from '../../src/declared-schema.ts';
import { createMonitor } from '../../src/index.ts';

async function mistakesOf(yaml: string, variables = {}): Promise<string[]> {
  try {
    await loadProbes(yaml, { variables });
  } catch (error) {
    expect(error).toBeInstanceOf(DeclarationError);
    return (error as DeclarationError).message.split('\n');
  }
  throw new Error('expected a mistake');
}

test('one of each kind is made, with its settings and groups', async () => {
  const declared = await loadProbes(
    `
probes:
  - { type: http, name: api, url: http://localhost/health, json: { status: ok }, status: [200], interval: 10s }
  - { type: postgres, name: database, connectionString: "\${DATABASE_URL}", critical: false }
  - { type: model, name: models, url: http://localhost/models, expected: [price] }
  - { type: tick, name: tick, url: http://localhost/health, field: loop.at, maxAge: 30s }
  - type: tcp
    name: broker
    host: localhost
    port: \${PORT}
  - { type: tls, name: cert, host: example.org, port: 443, minDays: 5 }
  - { type: redis, name: cache, url: redis://localhost }
  - { type: disk, name: disk, path: /, maxPercent: 90 }
  - { type: memory, name: memory }
  - { type: event-loop, name: loop, maxDelay: 500 }
groups:
  readiness: [api, database]
`,
    { variables: { DATABASE_URL: 'postgres://u:p@localhost/x', PORT: '5672' } },
  );
  expect(declared.probes.map(({ probe }) => probe.name)).toHaveLength(10);
  expect(declared.probes[0]).toMatchObject({ interval: '10s' });
  expect(declared.probes[1]).toMatchObject({ critical: false });
  const monitor = createMonitor(declared);
  expect(monitor.group('readiness').probes).toEqual(['api', 'database']);
  await monitor.close();
});

test('every mistake is reported at once, where it stands', async () => {
  expect(
    await mistakesOf(`probes:
  - type: tcp
    name: broker
    host: localhost
    port: 70000
  - type: http
    name: a b
    url: localhost
    intervall: 5s
  - type: smtp
    name: mail
  - type: disk
    name: disk
`),
  ).toEqual([
    '5:11: probes[0].port: Too big: expected number to be <=65535',
    '7:11: probes[1].name: Invalid string: must match pattern /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/',
    '9:5: probes[1].intervall: is no option here',
    expect.stringMatching(/^10:11: probes\[2\]\.type: /),
    '12:5: probes[3].path: Invalid input: expected string, received undefined',
  ]);
});

test('what only the probe itself can tell is reported where it stands, too', async () => {
  expect(
    await mistakesOf(`probes:
  - type: http
    name: api
    url: no url with hunter2
  - type: tls
    name: api
    host: h
    port: 443
    minDays: 30
groups:
  readiness: [api, cache]
`),
  ).toEqual([
    '4:10: probes[0].url: expected an absolute http: or https: URL, got "a text that is no URL"',
    '5:5: probes[1].warnDays: expected at least minDays, 30, got 14',
    '6:11: probes[1].name: expected each name once',
    '11:20: groups.readiness[1]: expected a declared probe (api)',
  ]);
});

test.each([
  ['probes: [', /^1:10: /],
  ['- a', /^1:1: Invalid input/],
  ['', /^1:1: Invalid input/],
  [`probes:\n  - { type: redis, name: r, url: "\${NOPE}" }`, /^2:34: expected the variable NOPE to be set$/],
])('%j is refused', async (yaml, message) => {
  expect((await mistakesOf(yaml))[0]).toMatch(message);
});

test('the published schema is the one that is checked; after a change of it run: pnpm run generate', () => {
  const published = JSON.parse(readFileSync(new URL('../../probes.schema.json', import.meta.url), 'utf8'));
  expect(published).toEqual(publishedSchema());
});
