import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const SOURCES = new URL('../../src/', import.meta.url);
const sources = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(new URL(name, SOURCES), 'utf8'))
  .join('\n');

it('each alert has a row in the runbook that says what it means and what to do', () => {
  const events = [...sources.matchAll(/(?:event: '([a-z_.]+)',\s*severity|demand\(\s*'([a-z_.]+)')/g)].map(
    ([, told, demanded]) => told ?? demanded,
  );
  expect(events.length).toBeGreaterThan(8);
  const rows = read('../../../../docker/README.md').split('\n');
  for (const event of events) {
    const row = rows.find((line) => line.startsWith(`| \`${event}\` |`));
    expect(row?.split('|').filter((cell) => cell.trim() !== '').length, event).toBe(3);
  }
});

it('each metric has a row in the README, and each row a metric', () => {
  const metrics = [sources, read('../../../probes/src/prometheus.ts')]
    .flatMap((text) => [...text.matchAll(/'(botwarden_[a-z_]+)'/g)])
    .map(([, name]) => name);
  const rows = [...read('../../README.md').matchAll(/^\| `(botwarden_[a-z_]+)`/gm)].map(([, name]) => name);
  expect(new Set(rows)).toEqual(new Set(metrics));
});
