import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { tool } from '../../../../vitest.tools.ts';

const top = fileURLToPath(new URL('../../../../', import.meta.url));
const shellcheck = tool('shellcheck');
const SCRIPTS = ['docker/deploy', '.ci/run', '.github/plan-release', '.github/changelog-of'];

describe.skipIf(shellcheck === undefined)('shellcheck has nothing to say about', () => {
  test.for(SCRIPTS)('%s, nor about what it is made of', (script) => {
    const args = ['--external-sources', '--check-sourced', '--source-path=docker', script];
    const { stdout, status } = spawnSync(shellcheck ?? '', args, { cwd: top, encoding: 'utf8' });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});

// Whoever has Docker on a host may have any of these as sh.
test.for([['dash'], ['busybox', 'sh'], ['bash', '--posix']] as const)(
  'docker/deploy runs under %s, and says its usage',
  ([name, ...args], context) => {
    const shell = tool(name);
    context.skip(shell === undefined, `no ${name}`);
    const run = (...rest: string[]) =>
      spawnSync(shell ?? '', [...args, 'docker/deploy', ...rest], { cwd: top, encoding: 'utf8' });
    expect(run('--help')).toMatchObject({ status: 0, stderr: '' });
    expect(run('--help').stdout).toContain('rollback');
    expect(run()).toMatchObject({ status: 2, stdout: '' });
    expect(run('launch')).toMatchObject({
      status: 2,
      stderr: 'docker/deploy: there is no command launch. See --help.\n',
    });
    expect(run('--force', 'ship').status).toBe(2);
    expect(run('ship', 'a', 'b').status).toBe(2);
    expect(run('ship', '../a').stderr).toContain('a TAG has letters');
  },
);
