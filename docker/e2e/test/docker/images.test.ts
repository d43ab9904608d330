import { randomUUID } from 'node:crypto';
import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { docker, dockerOk, engineMissing, top } from './engine.ts';

const images = ['botwarden-sidecar', 'botwarden-bot', 'botwarden-dashboard'] as const;

/** Runs a line of shell in an image, as the image's own user. */
const sh = (image: string, line: string) =>
  dockerOk([
    'run',
    '--rm',
    '--network=none',
    '--read-only',
    '--cap-drop=ALL',
    '--entrypoint=sh',
    image,
    '-c',
    line,
  ]);

describe.skipIf(engineMissing)(`the images${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  beforeAll(() => dockerOk(['compose', 'build', '--quiet'], { limit: 600_000 }));

  test.for(images)('%s runs as a user of its own, says what it is, and has a health check', async (image) => {
    const [{ Config }] = JSON.parse(await dockerOk(['image', 'inspect', image]));
    expect(Config.User).not.toMatch(/^(root|0|)$/);
    expect(await sh(image, 'id -u')).toBe('10001');
    expect(Config.Labels).toMatchObject({
      'org.opencontainers.image.title': image,
      'org.opencontainers.image.licenses': 'MIT',
    });
    expect(Config.Healthcheck.Test.join(' ')).toMatch(/^CMD curl -fsS --max-time 3 /);
    expect(Config.Entrypoint[0]).toMatch(/^(node|hold-until-flat)$/);
  });

  test.for(images)('%s has no secret, no test and no tool of ours in it', async (image) => {
    const [{ Config }] = JSON.parse(await dockerOk(['image', 'inspect', image]));
    expect(Config.Env.join('\n')).not.toMatch(/TOKEN|PASSWORD|SECRET/);
    const history = await dockerOk(['history', '--no-trunc', '--format', '{{.CreatedBy}}', image]);
    expect(history).not.toMatch(/development-only/);
    expect(await sh(image, 'ls /run/secrets 2>/dev/null || true')).toBe('');
    const files = await sh(image, 'find $(ls -d /app /opt/botwarden 2>/dev/null) -type f');
    expect(files).not.toMatch(/test|node_modules|\.ts$|\.env|\.git/m);
  });

  test('the sidecar is one file beside node and curl, and starts without anything else', async () => {
    expect((await sh('botwarden-sidecar', 'ls /app')).split('\n')).toEqual([
      'LICENSE',
      'botwarden.mjs',
      'botwarden.mjs.LEGAL.txt',
    ]);
    const version = await dockerOk([
      'run',
      '--rm',
      '--network=none',
      '--read-only',
      'botwarden-sidecar',
      '--version',
    ]);
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('the sidecar refuses a configuration that cannot work, with 2', async () => {
    const { status, stderr } = await docker(['run', '--rm', '--network=none', 'botwarden-sidecar']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/BOT_URL/);
  });

  test('the gate as PID 1 reaps what the bot leaves, and passes its status on', async () => {
    const orphans =
      'for i in 1 2 3 4 5; do (sleep 0.2 &) ; done; sleep 1; cat /proc/[0-9]*/status | grep -c "^State:.Z" ; exit 6';
    const { status, stdout } = await docker([
      'run',
      '--rm',
      '--network=none',
      '--read-only',
      '--env',
      'SIDECAR_URL=',
      'botwarden-bot',
      'sh',
      '-c',
      orphans,
    ]);
    expect(stdout.trim()).toBe('0');
    expect(status).toBe(6);
  });

  test('a change of the sources reuses the layers of what was installed', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'botwarden-layers-'));
    try {
      for (const part of [
        'package.json',
        'pnpm-lock.yaml',
        'pnpm-workspace.yaml',
        '.npmrc',
        'LICENSE',
        '.dockerignore',
      ])
        cpSync(path.join(top, part), path.join(folder, part));
      for (const name of ['probes', 'service', 'sidecar'])
        for (const part of ['package.json', 'src'])
          cpSync(path.join(top, 'packages', name, part), path.join(folder, 'packages', name, part), {
            recursive: true,
          });
      appendFileSync(path.join(folder, 'packages/sidecar/src/main.ts'), `\n// ${randomUUID()}\n`);
      const { stderr, status } = await docker(
        [
          'build',
          '--progress=plain',
          '--target=build',
          '--file',
          path.join(top, 'docker/sidecar/Dockerfile'),
          folder,
        ],
        { limit: 600_000 },
      );
      expect(status, stderr).toBe(0);
      const cached = (step: string) => {
        const number = stderr
          .split('\n')
          .find((line) => line.includes(step))
          ?.split(' ')[0];
        return stderr.split('\n').includes(`${number} CACHED`);
      };
      expect(cached('RUN npx')).toBe(true);
      expect(cached('run bundle')).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
