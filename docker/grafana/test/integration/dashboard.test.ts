import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Gate, holdLease } from '../../../../packages/sidecar/test/support/gate.ts';
import {
  get,
  misbehave,
  type Running,
  startBot,
  startSidecar,
  until,
} from '../../../../packages/sidecar/test/support/processes.ts';
import {
  type Prometheus,
  prometheusTools,
  startPrometheus,
} from '../../../../packages/sidecar/test/support/prometheus.ts';

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

interface Panel {
  id: number;
  type: string;
  title: string;
  description: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource: { uid: string };
  targets?: { refId: string; expr: string; datasource: { uid: string } }[];
}
const dashboard = JSON.parse(read('grafana/dashboards/botwarden.json')) as {
  uid: string;
  panels: Panel[];
  templating: { list: { name: string; query: string | { query: string } }[] };
};
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const queries = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ refId, expr }) => [`${title} (${refId})`, expr] as const),
);

describe('the dashboard', () => {
  test('has panels that do not lie on each other, each with a title, what it means, and queries', () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      const { x, y, w, h } = gridPos;
      expect(x + w).toBeLessThanOrEqual(24);
      for (let column = x; column < x + w; column += 1)
        for (let line = y; line < y + h; line += 1) {
          expect(taken.get(`${column},${line}`), `${title} lies on another panel`).toBeUndefined();
          taken.set(`${column},${line}`, title);
        }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    for (const { title, description, targets = [], datasource } of panels) {
      expect(title).toBeTruthy();
      expect(description).toMatch(/\.$/);
      expect(targets.length).toBeGreaterThan(0);
      // Whichever Prometheus a person chooses.
      for (const { uid } of [datasource, ...targets.map((target) => target.datasource)])
        expect(uid).toBe('${' + 'datasource}');
    }
  });

  test('is where its provisioning looks for it, and asks the Prometheus that Compose brings up', () => {
    const compose = parse(read('../compose.yaml'));
    const { providers } = parse(read('grafana/provisioning/dashboards/botwarden.yml'));
    const { datasources } = parse(read('grafana/provisioning/datasources/prometheus.yml'));
    const targets = compose.services.grafana.volumes.map((mount: string) => mount.split(':')[1]);
    expect(targets).toContain(providers[0].options.path);
    expect(targets).toContain('/etc/grafana/provisioning');
    expect(datasources[0].url).toBe('http://prometheus:9090');
    expect(Object.keys(compose.services)).toContain('prometheus');
  });
});

describe.skipIf(prometheusTools === undefined)(
  `its queries, in a real Prometheus that scrapes a real sidecar${prometheusTools === undefined ? ' (skipped: apt-get install prometheus)' : ''}`,
  () => {
    const token = 'token-of-the-drain';
    let bot: Running;
    let sidecar: Running;
    let gate: Gate;
    let prometheus: Prometheus;

    beforeAll(async () => {
      bot = await startBot();
      sidecar = await startSidecar({
        BOT_NAME: 'btc',
        BOT_URL: bot.url,
        PROBE_INTERVAL: '200ms',
        DRAIN_TOKEN: token,
        DRAIN_TIMEOUT: '10s',
      });
      gate = await holdLease(sidecar.url, token, 'boot-1');
      prometheus = await startPrometheus(
        ['recording', 'alerts'].map((name) =>
          // The reminder of a hold is due at once.
          read(`prometheus/rules/${name}.rules.yml`).replaceAll('for: 1h', 'for: 0s'),
        ),
      );
      prometheus.watch('botwarden', sidecar.url);
      await until(
        'a healthy scrape',
        async () => (await prometheus.ask('botwarden_ready == 1')).length === 1,
      );
      // A drain, and what a counter has grown by.
      await fetch(`${sidecar.url}/drain`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
      await until('the drain is scraped', async () => {
        const [flat] = await prometheus.ask('increase(botwarden_drains_total{outcome="flat"}[1m])');
        return (flat?.value ?? 0) > 0;
      });
      await until(
        'an alert fires',
        async () => (await prometheus.ask('ALERTS{alertstate="firing"}')).length > 0,
      );
    });
    afterAll(async () => {
      gate?.end();
      await prometheus?.end();
      await sidecar?.end();
      await bot?.end();
    });

    /** As Grafana would send it, with every bot chosen. */
    const sent = (expression: string): string =>
      expression.replaceAll('$bot', '.+').replaceAll('$__rate_interval', '1m').replaceAll('$__range', '1h');

    test.for(queries)('%s gives something', async ([, expression]) => {
      expect(sent(expression)).not.toContain('$');
      const samples = await until('an answer that is not empty', async () => {
        // No number: a quantile of a probe that has not run within the window.
        const answer = (await prometheus.ask(sent(expression))).filter(({ value }) => !Number.isNaN(value));
        return answer.length > 0 && answer;
      });
      for (const { value } of samples) expect(value).toBeGreaterThanOrEqual(0);
    });

    test('its list of bots is that of Prometheus', async () => {
      const { query } = dashboard.templating.list.find(({ name }) => name === 'bot') ?? { query: '' };
      const asked = typeof query === 'string' ? query : query.query;
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(asked) ?? [];
      const response = await fetch(`${prometheus.url}/api/v1/label/${label}/values?match[]=${metric}`);
      expect(await response.json()).toMatchObject({ data: ['btc'] });
    });

    test('every metric of the sidecar is in a panel or in a rule', async () => {
      const text = await (await fetch(`${sidecar.url}/metrics`)).text();
      const metrics = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name = '']) => name);
      const used = [
        ...queries.map(([, expression]) => expression),
        read('prometheus/rules/recording.rules.yml'),
        read('prometheus/rules/alerts.rules.yml'),
      ].join('\n');
      expect(metrics.filter((name) => !used.includes(name))).toEqual([]);
    });

    test('a bot that becomes ill is seen in the panels', async () => {
      await misbehave(bot, 'unload-model');
      await until('models are down', async () => {
        const [models] = await prometheus.ask('botwarden_probe_up{bot="btc",probe="models"} == 0');
        return models !== undefined;
      });
      const { body } = await get(`${sidecar.url}/healthz`);
      expect(body.status).toBe('fail');
    });
  },
);
