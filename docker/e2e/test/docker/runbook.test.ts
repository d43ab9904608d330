import { readdirSync, readFileSync } from 'node:fs';
import { appendFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { docker, engineMissing, run, top } from './engine.ts';
import { cleanClone } from './host.ts';

const runbook = readFileSync(path.join(top, 'docker/README.md'), 'utf8');

/** The blocks that are marked `<!-- run -->`, each under the heading that it stands below. */
function blocks(): { heading: string; commands: string }[] {
  const found: { heading: string; commands: string }[] = [];
  for (const section of runbook.split(/^## /m).slice(1)) {
    const heading = section.slice(0, section.indexOf('\n'));
    for (const [, commands = ''] of section.matchAll(/^<!-- run -->\n```sh\n(.*?)^```$/gms)) {
      found.push({ heading, commands });
    }
  }
  return found;
}

describe('the runbook', () => {
  test('links to headings that it has', () => {
    const anchors = [...runbook.matchAll(/^## (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replaceAll(' ', '-'),
    );
    const links = [...runbook.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor);
    expect(links.filter((anchor) => !anchors.includes(anchor ?? ''))).toEqual([]);
    expect(new Set(links.slice(0, anchors.length))).toEqual(new Set(anchors));
  });

  test('says of every event that is alerted or needs a person what to do', () => {
    const source = path.join(top, 'packages/sidecar/src');
    const text = readdirSync(source, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(path.join(source, file), 'utf8'))
      .join('\n');
    const alerted = [...text.matchAll(/\bkey: [^;]*?event: '([a-z_]+\.[a-z_]+)'/g)].map(
      ([, event = '']) => event,
    );
    const drains = ['flat', 'nothing_to_do', 'not_flat', 'abandoned', 'close_refused'].map(
      (state) => `drain.${state}`,
    );
    const returns = [...text.matchAll(/'(restart-bot|leave-halted-warn)'/g)].map(
      ([, what]) => `return.${what}`,
    );
    expect(alerted).toContain('heal.verdict');
    const events = new Set([...alerted, ...drains, ...returns]);
    expect([...events].filter((event) => !runbook.includes(`\`${event}\``))).toEqual([]);
  });
});

describe.skipIf(engineMissing)(
  'the commands of the runbook, to the letter, in a clean clone',
  { retry: 0 },
  () => {
    const project = `botwarden-runbook-${process.pid}`;
    // Another stack may run here under the name that a clone has by itself.
    const env = { COMPOSE_PROJECT_NAME: project, DASHBOARD_PORT: '0' };
    const names = ['bot', 'sidecar', 'dashboard'].flatMap((image) =>
      ['1.0.0', '1.1.0'].map((tag) => `botwarden-${image}:${tag}`),
    );
    const before = new Map<string, string>();
    let folder: string;

    beforeAll(async () => {
      folder = await cleanClone();
      for (const name of names) {
        const { status, stdout } = await docker(['image', 'inspect', '--format', '{{.Id}}', name]);
        if (status === 0) before.set(name, stdout.trim());
      }
    });
    afterAll(async () => {
      await docker(['compose', '--project-name', project, 'down', '--volumes', '--timeout', '1']);
      const { stdout } = await docker(['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}']);
      const own = stdout.split('\n').filter((name) => name.startsWith(`${project}-`) || names.includes(name));
      if (own.length > 0) await docker(['image', 'rm', ...own]);
      for (const [name, id] of before) await docker(['image', 'tag', id, name]);
      if (folder !== undefined) await rm(path.dirname(folder), { recursive: true, force: true });
    });

    const health = async (): Promise<Record<string, unknown>> => {
      const args = ['compose', 'exec', '-T', 'sidecar', 'curl', '-s', 'http://localhost:9400/healthz'];
      return JSON.parse((await run('docker', args, { cwd: folder, env })).stdout);
    };

    test('every section has some, but those that are about other machines', () => {
      const sections = [...runbook.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
      const covered = new Set(blocks().map(({ heading }) => heading));
      expect(sections.filter((heading) => !covered.has(heading ?? ''))).toEqual([
        'What each alert means',
        'Prometheus and Grafana',
        'Laptops and arm64',
        'Podman',
      ]);
    });

    const counted = new Map<string, number>();
    for (const { heading, commands } of blocks()) {
      const number = (counted.get(heading) ?? 0) + 1;
      counted.set(heading, number);
      test(`${heading}, block ${number}`, async () => {
        // "Bring the checkout to the version that is to run": one that differs.
        if (commands.includes('ship 1.1.0'))
          await appendFile(path.join(folder, 'docker/bot/Dockerfile'), 'LABEL release=1.1.0\n');
        const { status, stdout, stderr } = await run('sh', ['-eu'], { cwd: folder, env, input: commands });
        expect(status, `${commands}\n${stdout}\n${stderr}`).toBe(0);
        if (commands.includes('docker compose stop\n'))
          expect(stdout).toMatch(/"state":"(flat|nothing_to_do)"/);
        if (commands.includes('docker/deploy verify')) {
          expect(await health()).toMatchObject({ bot: { trading: 'running' } });
        }
      });
    }

    test('and in the end it is healthy and trades', async () => {
      const { stdout, stderr, status } = await run('docker/deploy', ['verify'], { cwd: folder, env });
      expect(status, stdout + stderr).toBe(0);
    });
  },
);
