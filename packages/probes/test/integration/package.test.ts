import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const source = fileURLToPath(new URL('../..', import.meta.url));
const bin = (name: string): string => join(source, 'node_modules', '.bin', name);
let folder: string;
let tarball: string;
let user: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'botwarden-pack-'));
  // Built in a copy, so that the checkout is left as it is and other tests may run beside this one.
  const copy = join(folder, 'packages', 'probes');
  await cp(source, copy, {
    recursive: true,
    filter: (path) => !/\/(node_modules|dist|test)(\/|$)/.test(path),
  });
  const top = join(source, '..', '..');
  await cp(join(top, 'tsconfig.base.json'), join(folder, 'tsconfig.base.json'));
  await cp(join(top, 'LICENSE'), join(copy, 'LICENSE'));
  await symlink(join(source, 'node_modules'), join(copy, 'node_modules'));
  await symlink(join(top, 'node_modules'), join(folder, 'node_modules'));
  await run(join(top, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'], { cwd: copy });
  // As pnpm publishes it: what stands in publishConfig replaces what stands above.
  const { publishConfig, ...manifest } = JSON.parse(await readFile(join(copy, 'package.json'), 'utf8'));
  const { access: _access, ...published } = publishConfig;
  await writeFile(join(copy, 'package.json'), JSON.stringify({ ...manifest, ...published }, null, 2));
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: copy,
  });
  const [packed] = JSON.parse(stdout) as [{ filename: string }];
  tarball = join(folder, packed.filename);
  user = await mkdtemp(join(tmpdir(), 'botwarden-user-'));
  await writeFile(join(user, 'package.json'), '{"private":true}');
  await run('npm', ['install', '--no-audit', '--no-fund', '--omit=peer', tarball], { cwd: user });
}, 120_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(user, { recursive: true, force: true });
});

const use = async (args: string[]): Promise<unknown> =>
  JSON.parse((await run(process.execPath, args, { cwd: user })).stdout);

const PROGRAM = `
  const monitor = createMonitor({ probes: [scriptedProbe('a', 'pass')], clock: createFakeClock() });
  monitor.check('a').then(async ({ status }) => {
    await monitor.close();
    console.log(JSON.stringify(status));
  });`;

test('the packed package is used from ESM, without any of its optional peers', async () => {
  const imports = `import { createMonitor } from '@botwarden/probes';
    import { createFakeClock, scriptedProbe } from '@botwarden/probes/testing';`;
  expect(await use(['--input-type=module', '-e', imports + PROGRAM])).toBe('pass');
});

test('the packed package is used from CommonJS', async () => {
  const requires = `const { createMonitor } = require('@botwarden/probes');
    const { createFakeClock, scriptedProbe } = require('@botwarden/probes/testing');`;
  expect(await use(['--input-type=commonjs', '-e', requires + PROGRAM])).toBe('pass');
});

test('each subpath loads once its peer is installed, and carries the schema', {
  timeout: 120_000,
}, async () => {
  const { devDependencies: versions } = JSON.parse(await readFile(join(source, 'package.json'), 'utf8'));
  const peers = ['@godaddy/terminus', 'express', 'pg', 'prom-client', 'yaml', 'zod'].map(
    (name) => `${name}@${versions[name]}`,
  );
  await run('npm', ['install', '--no-audit', '--no-fund', ...peers], { cwd: user });
  const program = `
    const subpaths = ['express', 'terminus', 'postgres', 'prometheus', 'declared'];
    const counts = subpaths.map((name) => Object.keys(require('@botwarden/probes/' + name)).length > 0);
    const schema = require('@botwarden/probes/probes.schema.json');
    console.log(JSON.stringify([...counts, schema.properties.probes.type]));`;
  expect(await use(['--input-type=commonjs', '-e', program])).toEqual([
    true,
    true,
    true,
    true,
    true,
    'array',
  ]);
});

test('publint and attw have nothing to say', { timeout: 120_000 }, async () => {
  const { stdout: lint } = await run(bin('publint'), ['run', tarball, '--strict']);
  expect(lint).toContain('All good!');
  // Exits with 1 when it finds a problem.
  await run(bin('attw'), [tarball, '--profile', 'esm-only', '--exclude-entrypoints', './probes.schema.json']);
});

test('the sources and the published files are exported under the same names', async () => {
  const manifest = JSON.parse(await readFile(join(source, 'package.json'), 'utf8'));
  expect(Object.keys(manifest.publishConfig.exports)).toEqual(Object.keys(manifest.exports));
  for (const [subpath, path] of Object.entries<string>(manifest.exports)) {
    const published = manifest.publishConfig.exports[subpath];
    if (!path.endsWith('.ts')) expect(published).toBe(path);
    else {
      const built = path.replace('./src/', './dist/').replace(/\.ts$/, '');
      expect(published).toEqual({ types: `${built}.d.ts`, default: `${built}.js` });
    }
  }
});
