import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { prometheusTools } from '../../../../packages/sidecar/test/support/prometheus.ts';

const folder = fileURLToPath(new URL('../../', import.meta.url));
const runbook = readFileSync(`${folder}../README.md`, 'utf8');

interface Rule {
  alert: string;
  labels: { severity: string };
  annotations: Record<string, string>;
}
const alerts: Rule[] = parse(readFileSync(`${folder}rules/alerts.rules.yml`, 'utf8')).groups[0].rules;

function promtool(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(prometheusTools?.promtool ?? '', args, {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(stdout + stderr).not.toMatch(/FAILED|error/i);
  expect(status, stdout + stderr).toBe(0);
  return stdout + stderr;
}

describe.skipIf(prometheusTools === undefined)(
  `promtool${prometheusTools === undefined ? ' (skipped: apt-get install prometheus)' : ''}`,
  () => {
    test('takes the scrape configuration and every rule that it names', () => {
      expect(promtool('check', 'config', 'prometheus.yml')).toContain('2 rule files found');
    });

    test.for(['alerts', 'recording'])('finds that %s are as their tests say', (name) => {
      promtool('test', 'rules', `test/${name}.test.yml`);
    });
  },
);

describe('each alert', () => {
  test('has its place in the runbook, and the runbook tells of no other', () => {
    const names = [...runbook.matchAll(/^\| `(Botwarden\w+)` \|/gm)].map(([, name]) => name);
    expect(names).toEqual(alerts.map(({ alert }) => alert));
  });

  test.for(alerts.map((rule) => [rule.alert, rule] as const))(
    '%s says how bad, what, and what to do',
    ([, rule]) => {
      expect(['critical', 'warning', 'info']).toContain(rule.labels.severity);
      expect(Object.keys(rule.annotations)).toEqual(['summary', 'description', 'runbook']);
      const [, anchor] = rule.annotations.runbook?.split('#') ?? [];
      const headings = [...runbook.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
        heading.toLowerCase().replaceAll(' ', '-'),
      );
      expect(headings).toContain(anchor);
    },
  );
});
