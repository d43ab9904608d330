import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { tool } from '../../../../vitest.tools.ts';

const top = fileURLToPath(new URL('../../../../', import.meta.url));
const read = (file: string): string => readFileSync(path.join(top, file), 'utf8');
const names = readdirSync(path.join(top, '.github/workflows'));
const workflows = Object.fromEntries(names.map((name) => [name, read(`.github/workflows/${name}`)]));

interface Job {
  permissions?: Record<string, string>;
  environment?: string;
  uses?: string;
  steps?: { uses?: string; run?: string; env?: Record<string, string> }[];
}
const jobsOf = (name: string): Record<string, Job> => parse(workflows[name] ?? '').jobs;
const run = (program: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: top,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${path.dirname(tool('shellcheck') ?? '/usr/bin/x')}:${process.env.PATH}` },
  });
  return { status, said: stdout + stderr, stdout };
};

describe('the workflows', () => {
  test.skipIf(tool('actionlint') === undefined)(
    'satisfy actionlint, with shellcheck over their scripts',
    () => {
      const { status, said } = run(tool('actionlint') ?? '', '-no-color');
      expect(said).toBe('');
      expect(status).toBe(0);
    },
  );

  test.skipIf(tool('zizmor') === undefined)(
    'satisfy zizmor, and so does the configuration of Dependabot',
    () => {
      const { status, said } = run(
        tool('zizmor') ?? '',
        '--offline',
        '--no-progress',
        '--color=never',
        '.github',
      );
      expect(said).toContain('No findings to report');
      expect(status, said).toBe(0);
    },
  );

  test.for(names)('%s pins every action by a digest, beside its version', (name) => {
    const used = [...(workflows[name] ?? '').matchAll(/uses: (\S+)(.*)$/gm)];
    for (const [, action = '', comment = ''] of used) {
      if (action.startsWith('./')) continue; // of this very commit
      expect(action).toMatch(/^[\w.-]+\/[\w.-]+@[0-9a-f]{40}$/);
      expect(comment).toMatch(/^ # v\d+\.\d+\.\d+$/);
    }
  });

  test.for(names)('%s gives nothing to anyone but what a job asks for', (name) => {
    expect(parse(workflows[name] ?? '').permissions).toEqual({});
    for (const [job, { permissions }] of Object.entries(jobsOf(name))) expect(permissions, job).toBeDefined();
  });

  test('CI runs what .ci/run runs', () => {
    const runs = Object.values(jobsOf('ci.yml')).flatMap(({ steps = [] }) => steps.map((step) => step.run));
    const own = read('.ci/run');
    for (const command of ['npx pnpm@12 check', 'npx pnpm@12 test']) {
      expect(own).toContain(command);
      expect(runs).toContain(command);
    }
    expect(read('README.md')).toMatch(/^npx pnpm@12 test$/m);
  });

  test('a release publishes every package that is not private, and only after the tests', () => {
    const jobs = jobsOf('release.yml') as Record<string, Job & { needs?: string | string[] }>;
    const published = readdirSync(path.join(top, 'packages')).filter((name) => {
      try {
        return JSON.parse(read(`packages/${name}/package.json`)).private !== true;
      } catch {
        return false;
      }
    });
    for (const { run: script } of jobs.npm?.steps ?? []) {
      const loop = /for name in (.*); do/.exec(script ?? '');
      if (loop) expect(loop[1]?.split(' ').sort()).toEqual(published.sort());
    }
    for (const name of ['images', 'npm', 'pypi']) expect(jobs[name]?.needs).toContain('test');
    expect(jobs.test?.uses).toBe('./.github/workflows/ci.yml');
    for (const name of ['npm', 'pypi']) {
      expect(jobs[name]?.permissions).toEqual({ contents: 'read', 'id-token': 'write' });
      expect(jobs[name]?.environment).toBe(name);
    }
    expect(workflows['release.yml']).not.toMatch(/NPM_TOKEN|PYPI_API_TOKEN|NODE_AUTH_TOKEN/);
  });

  test('a deploy waits for approval, and runs docker/deploy ship on the host', () => {
    const { ship } = jobsOf('deploy.yml');
    expect(ship?.environment).toBe('production');
    expect(ship?.steps?.[0]?.run).toContain('exec docker/deploy ship "$1"');
    // Nothing that a person typed is put into the script itself.
    for (const { run: script = '' } of ship?.steps ?? []) expect(script).not.toContain('${' + '{');
  });
});

describe('what a release is made of', () => {
  const { version } = JSON.parse(read('packages/sidecar/package.json')) as { version: string };

  test('a tag that everything agrees with: its version, and an image for every Dockerfile but the bot’s', () => {
    const { status, said } = run('.github/plan-release', `v${version}`);
    expect(status, said).toBe(0);
    const [first, second = ''] = said.trim().split('\n');
    expect(first).toBe(`version=${version}`);
    const images: string[] = JSON.parse(second.replace('images=', ''));
    const there = readdirSync(path.join(top, 'docker'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'bot')
      .filter(({ name }) => readdirSync(path.join(top, 'docker', name)).includes('Dockerfile'))
      .map(({ name }) => name);
    expect(images.sort()).toEqual(there.sort());
    expect(images).toContain('sidecar');
  });

  test.for([
    ['9.9.9', /expected a tag such as v1\.2\.3/],
    ['v9.9.9', /the version in packages\/\w+\/package\.json is not 9\.9\.9/],
    ['v1;rm', /expected a tag/],
  ] as const)('refuses %s', ([tag, why]) => {
    const { status, said } = run('.github/plan-release', tag);
    expect(status).toBe(1);
    expect(said).toMatch(why);
  });

  test('the changelog has something to say of this version, and of no other', () => {
    expect(run('.github/changelog-of', version).stdout).toContain('The first release');
    expect(run('.github/changelog-of', '9.9.9').status).toBe(1);
  });
});
