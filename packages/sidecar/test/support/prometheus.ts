import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '@botwarden/service/testing';
import { tool } from '../../../../vitest.tools.ts';
import { freePort, type Running, until } from './processes.ts';

/** Where Debian's programs are; undefined where there are none. */
export const prometheusTools = (() => {
  const [server, promtool] = [tool('prometheus'), tool('promtool')];
  return server === undefined || promtool === undefined ? undefined : { server, promtool };
})();

/** One series of an answer, and its newest value. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A real Prometheus. */
export interface Prometheus {
  readonly url: string;
  /** What an expression gives now. Throws what Prometheus says of one that it does not take. */
  readonly ask: (expression: string) => Promise<readonly Sample[]>;
  /** Scrapes one more address, `http://127.0.0.1:9400` say, as part of a job. */
  readonly watch: (job: 'botwarden' | 'botwarden-dashboard', url: string) => void;
  readonly end: () => Promise<void>;
}

/** Starts one that scrapes twice a second, and goes by these rules, each the text of a file. */
export async function startPrometheus(rules: readonly string[] = []): Promise<Prometheus> {
  if (prometheusTools === undefined) throw new Error('no prometheus and promtool here');
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-prometheus-'));
  const targets = join(folder, 'targets');
  mkdirSync(targets);
  rules.forEach((text, at) => {
    writeFileSync(join(folder, `${at}.rules.yml`), text);
  });
  const file = join(folder, 'prometheus.yml');
  // JSON is YAML too.
  writeFileSync(
    file,
    JSON.stringify({
      global: { scrape_interval: '500ms', scrape_timeout: '400ms', evaluation_interval: '500ms' },
      rule_files: [join(folder, '*.rules.yml')],
      scrape_configs: ['botwarden', 'botwarden-dashboard'].map((job_name) => ({
        job_name,
        file_sd_configs: [{ files: [join(targets, `${job_name}.*.json`)], refresh_interval: '1s' }],
      })),
    }),
  );
  const address = `127.0.0.1:${await freePort()}`;
  const args = [`--config.file=${file}`, `--storage.tsdb.path=${folder}/data`];
  const running: Running = start(prometheusTools.server, [...args, `--web.listen-address=${address}`], {
    cwd: folder,
    env: {},
    url: `http://${address}`,
  });
  const { url } = running;
  await until('Prometheus is ready', async () => {
    const answer = await fetch(`${url}/-/ready`).catch(() => undefined);
    return answer?.status === 200;
  });
  let watched = 0;
  return {
    url,
    async ask(expression) {
      const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`);
      const answer = (await response.json()) as {
        status: string;
        error?: string;
        data: { result: { metric: Record<string, string>; value: [number, string] }[] };
      };
      if (answer.status !== 'success') throw new Error(`${expression}: ${answer.error}`);
      return answer.data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    watch(job, target) {
      watched += 1;
      writeFileSync(
        join(targets, `${job}.${watched}.json`),
        JSON.stringify([{ targets: [new URL(target).host] }]),
      );
    },
    async end() {
      await running.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
