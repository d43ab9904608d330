import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { misbehave, type Running, startBot, startSidecar, until } from '../support/processes.ts';
import { type Prometheus, prometheusTools, startPrometheus } from '../support/prometheus.ts';

describe.skipIf(prometheusTools === undefined)(
  `a real Prometheus${prometheusTools === undefined ? ' (skipped: apt-get install prometheus)' : ''}`,
  () => {
    let bot: Running;
    let sidecar: Running;
    let prometheus: Prometheus;

    beforeAll(async () => {
      bot = await startBot();
      sidecar = await startSidecar({ BOT_URL: bot.url, PROBE_INTERVAL: '200ms', DRAIN_TIMEOUT: '10s' });
      prometheus = await startPrometheus();
      prometheus.watch('botwarden', sidecar.url);
    });
    afterAll(async () => {
      await prometheus?.end();
      await sidecar?.end();
      await bot?.end();
    });

    /** The values of an expression now, by their labels `probe`, or by nothing. */
    async function ask(expression: string): Promise<Record<string, number>> {
      const samples = await prometheus.ask(expression);
      return Object.fromEntries(samples.map(({ labels, value }) => [labels.probe ?? '', value]));
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
      const { status, stdout, stderr } = spawnSync(prometheusTools?.promtool ?? '', ['check', 'metrics'], {
        input,
        encoding: 'utf8',
      });
      expect(stdout + stderr).toBe('');
      expect(status).toBe(0);
    });
  },
);
