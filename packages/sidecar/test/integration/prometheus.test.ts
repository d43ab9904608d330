import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '@botwarden/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tool } from '../../../../vitest.tools.ts';
import { freePort, misbehave, type Running, startBot, startSidecar, until } from '../support/processes.ts';

const prometheus = tool('prometheus');
const promtool = tool('promtool');
const missing = prometheus === undefined || promtool === undefined;

describe.skipIf(missing)(
  `a real Prometheus${missing ? ' (skipped: apt-get install prometheus)' : ''}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'botwarden-prometheus-'));
    let bot: Running;
    let sidecar: Running;
    let server: Running;

    beforeAll(async () => {
      bot = await startBot();
      sidecar = await startSidecar({ BOT_URL: bot.url, PROBE_INTERVAL: '200ms', DRAIN_TIMEOUT: '10s' });
      const file = join(folder, 'prometheus.yml');
      const targets = [new URL(sidecar.url).host];
      const job = { job_name: 'botwarden', static_configs: [{ targets }] };
      // JSON is YAML too.
      writeFileSync(
        file,
        JSON.stringify({
          global: { scrape_interval: '500ms', scrape_timeout: '400ms' },
          scrape_configs: [job],
        }),
      );
      const address = `127.0.0.1:${await freePort()}`;
      const args = [`--config.file=${file}`, `--storage.tsdb.path=${folder}/data`];
      server = start(prometheus ?? '', [...args, `--web.listen-address=${address}`], {
        cwd: folder,
        env: {},
        url: `http://${address}`,
      });
      await until('Prometheus is ready', async () => {
        const answer = await fetch(`${server.url}/-/ready`).catch(() => undefined);
        return answer?.status === 200;
      });
    });
    afterAll(async () => {
      await server?.end();
      await sidecar?.end();
      await bot?.end();
      rmSync(folder, { recursive: true, force: true });
    });

    /** The values of an expression now, by their labels `probe`, or by nothing. */
    async function ask(expression: string): Promise<Record<string, number>> {
      const answer = await fetch(`${server.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
      const { data } = (await answer.json()) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      return Object.fromEntries(
        data.result.map(({ metric, value }) => [metric.probe ?? '', Number(value[1])] as const),
      );
    }

    it('scrapes what the sidecar says, and sees a probe go from up to down', async () => {
      await until('a healthy scrape', async () => (await ask('botwarden_ready'))[''] === 1);
      expect(await ask('up{job="botwarden"}')).toEqual({ '': 1 });
      expect(await ask('botwarden_probe_up')).toMatchObject({ api: 1, models: 1, tick: 1 });
      expect(await ask('botwarden_live')).toEqual({ '': 1 });
      await misbehave(bot, 'unload-model');
      await until('the probe is down', async () => (await ask('botwarden_probe_up')).models === 0);
      expect(await ask('botwarden_ready')).toEqual({ '': 0 });
    });

    it('can make a quantile of the time that a probe takes', async () => {
      const quantile =
        'histogram_quantile(0.9, sum by (le, probe) (rate(botwarden_probe_duration_seconds_bucket[1m])))';
      const seconds = await until('two scrapes', async () => {
        const { api = Number.NaN } = await ask(quantile);
        return Number.isFinite(api) && api;
      });
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThan(10);
    });

    it('has no complaint about names, types and help', async () => {
      const input = await (await fetch(`${sidecar.url}/metrics`)).text();
      const { status, stdout, stderr } = spawnSync(promtool ?? '', ['check', 'metrics'], {
        input,
        encoding: 'utf8',
      });
      expect(stdout + stderr).toBe('');
      expect(status).toBe(0);
    });
  },
);
