import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startDashboard } from '../../../../packages/dashboard/test/support/processes.ts';
import { type Gate, holdLease } from '../../../../packages/sidecar/test/support/gate.ts';
import {
  freePort,
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

const rules = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../rules/${name}.rules.yml`, import.meta.url)), 'utf8');
/** The rules, to the letter but for their times: every wait is one second, every window one minute. */
const hasty = (text: string): string =>
  text.replace(/^(\s+for:) .*/gm, '$1 1s').replace(/\[\d+[smhd]\]/g, '[1m]');
const alerts: string[] = parse(rules('alerts')).groups[0].rules.map(({ alert }: { alert: string }) => alert);

const DRAIN_TOKEN = 'token-of-the-drain';

/** Everything that a test starts, and ends with it. */
class Scene implements AsyncDisposable {
  readonly #prometheus: Prometheus;
  readonly #ends: (() => unknown)[] = [];
  readonly name: string;
  /** Host and port of what was scraped last. */
  instance = '';

  constructor(prometheus: Prometheus, name: string) {
    this.#prometheus = prometheus;
    this.name = name;
  }

  async bot(env: Record<string, string> = {}): Promise<Running> {
    const bot = await startBot(env);
    this.#ends.push(bot.end);
    return bot;
  }

  /** A sidecar that is scraped, beside a bot. */
  async sidecar(bot: { readonly url: string }, env: Record<string, string> = {}) {
    const sidecar = await startSidecar({
      BOT_NAME: this.name,
      BOT_URL: bot.url,
      DRAIN_TOKEN,
      PROBE_INTERVAL: '200ms',
      PROBE_TIMEOUT: '2s',
      CLOSE_TIMEOUT: '500ms',
      DRAIN_TIMEOUT: '7s',
      HEAL_COOLDOWN: '1s',
      ...env,
    });
    this.#ends.push(sidecar.end);
    this.#prometheus.watch('botwarden', sidecar.url);
    this.instance = new URL(sidecar.url).host;
    return sidecar;
  }

  async gate(sidecar: Running, boot: string): Promise<Gate> {
    const gate = await holdLease(sidecar.url, DRAIN_TOKEN, boot);
    this.#ends.push(gate.end);
    return gate;
  }

  async dashboard(sidecar: Running): Promise<Running> {
    const dashboard = await startDashboard({ SIDECARS: `${this.name}=${sidecar.url}` });
    this.#ends.push(dashboard.end);
    this.#prometheus.watch('botwarden-dashboard', dashboard.url);
    this.instance = new URL(dashboard.url).host;
    return dashboard;
  }

  readonly ready = (sidecar: Running): Promise<unknown> =>
    until('the bot is ready', async () => (await get(`${sidecar.url}/readyz`)).status === 200);

  /** What came up last is known to Prometheus as it was before the fault; a counter that begins with 3 has not grown. */
  async scraped(): Promise<void> {
    if (this.instance === '') return;
    const up = `up{instance="${this.instance}"} == 1`;
    await until('it is scraped', async () => (await this.#prometheus.ask(up)).length > 0);
  }

  /** A person drains. */
  readonly drain = (sidecar: Running) =>
    fetch(`${sidecar.url}/drain`, { method: 'POST', headers: { authorization: `Bearer ${DRAIN_TOKEN}` } });

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
  }
}

interface Fault {
  /** What is done, in words. */
  readonly what: string;
  /** Brings up what is watched, well as yet; gives what makes it ill. */
  readonly stage: (scene: Scene) => Promise<() => unknown>;
  /** Of which bot or address the alert speaks, where that is not the name of the scene. */
  readonly about?: (scene: Scene) => string;
}

const opened = (sidecar: Running) =>
  until('the sidecar knows of open positions', async () => {
    const { positions } = (await get(`${sidecar.url}/healthz`)).body as {
      positions: { open_positions: number } | null;
    };
    return (positions?.open_positions ?? 0) > 0;
  });

/** What only an error in our own sources could cause, and the tests of the rules show with made-up samples. */
const NO_FAULT = ['BotwardenDefect'];

const FAULTS: Readonly<Record<string, Fault>> = {
  BotwardenDrainNotFlat: {
    what: 'a drain with a bot that says it closed, and did not',
    async stage(scene) {
      const bot = await scene.bot();
      const sidecar = await scene.sidecar(bot);
      await opened(sidecar);
      return async () => {
        await misbehave(bot, 'lie-close');
        await scene.drain(sidecar);
      };
    },
  },
  BotwardenPositionsVanished: {
    what: 'a bot that forgets its positions in a crash',
    async stage(scene) {
      const port = String(await freePort());
      const bot = await scene.bot({ PORT: port });
      const sidecar = await scene.sidecar(bot);
      const gate = await scene.gate(sidecar, 'boot-1');
      await opened(sidecar);
      return async () => {
        gate.end();
        await bot.end();
        // It opens nothing.
        await scene.bot({ PORT: port, MISBEHAVE: 'stop-ticking' });
        await scene.gate(sidecar, 'boot-2');
      };
    },
  },
  BotwardenRestartsCapped: {
    what: 'a bot that hangs again after its one restart of the hour',
    async stage(scene) {
      const port = String(await freePort());
      const bot = await scene.bot({ PORT: port });
      const sidecar = await scene.sidecar(bot, {
        HEAL_MAX_PER_HOUR: '1',
        STARTUP_GRACE: '1s',
        PROBE_TIMEOUT: '300ms',
      });
      const gate = await scene.gate(sidecar, 'boot-1');
      await scene.ready(sidecar);
      return async () => {
        await misbehave(bot, 'hang');
        await gate.hears('a verdict', ({ body }) => !body.live);
        gate.end();
        await bot.end();
        await scene.bot({ PORT: port, MISBEHAVE: 'hang' });
        await scene.gate(sidecar, 'boot-2');
      };
    },
  },
  BotwardenRestartUnheeded: {
    what: 'a bot that hangs, and nobody who restarts it',
    async stage(scene) {
      const bot = await scene.bot();
      const sidecar = await scene.sidecar(bot, { PROBE_TIMEOUT: '300ms', STARTUP_GRACE: '1s' });
      await scene.gate(sidecar, 'boot-1');
      await scene.ready(sidecar);
      return () => misbehave(bot, 'hang');
    },
  },
  BotwardenSidecarDown: {
    what: 'a sidecar that is killed',
    async stage(scene) {
      const sidecar = await scene.sidecar(await scene.bot());
      return () => sidecar.end();
    },
    about: ({ instance }) => instance,
  },
  BotwardenClosePathBroken: {
    what: 'a token that differs',
    async stage(scene) {
      const bot = await scene.bot({ BOT_TOKEN: 'one' });
      return () => scene.sidecar(bot, { BOT_TOKEN: 'another' });
    },
  },
  BotwardenNotReady: {
    what: 'a bot that is gone',
    async stage(scene) {
      const bot = await scene.bot();
      await scene.ready(await scene.sidecar(bot));
      return () => bot.end();
    },
  },
  BotwardenProbeFailing: {
    what: 'a model that is no longer loaded',
    async stage(scene) {
      const bot = await scene.bot();
      await scene.ready(await scene.sidecar(bot));
      return () => misbehave(bot, 'unload-model');
    },
  },
  BotwardenCrashLoop: {
    what: 'a bot that crashes three times',
    async stage(scene) {
      const port = String(await freePort());
      let bot = await scene.bot({ PORT: port });
      const sidecar = await scene.sidecar(bot);
      let gate = await scene.gate(sidecar, 'boot-0');
      await scene.ready(sidecar);
      return async () => {
        for (const boot of ['boot-1', 'boot-2', 'boot-3']) {
          gate.end();
          await bot.end();
          bot = await scene.bot({ PORT: port });
          gate = await scene.gate(sidecar, boot);
          await until('the sidecar knows the new boot', async () => {
            const { heal } = (await get(`${sidecar.url}/healthz`)).body as { heal: { boot: string } };
            return heal.boot === boot;
          });
        }
      };
    },
  },
  BotwardenHealsOften: {
    what: 'a bot that hangs three times',
    async stage(scene) {
      const port = String(await freePort());
      let bot = await scene.bot({ PORT: port });
      const sidecar = await scene.sidecar(bot, { STARTUP_GRACE: '1s', PROBE_TIMEOUT: '300ms' });
      let gate = await scene.gate(sidecar, 'boot-0');
      await scene.ready(sidecar);
      return async () => {
        for (const boot of ['boot-1', 'boot-2', 'boot-3']) {
          await misbehave(bot, 'hang');
          await gate.hears('a verdict', ({ body }) => !body.live && body.boot === gate.boot);
          gate.end();
          await bot.end();
          bot = await scene.bot({ PORT: port });
          gate = await scene.gate(sidecar, boot);
          await scene.ready(sidecar);
        }
      };
    },
  },
  BotwardenNoGate: {
    what: 'a gate that goes',
    async stage(scene) {
      const sidecar = await scene.sidecar(await scene.bot());
      const gate = await scene.gate(sidecar, 'boot-1');
      return () => gate.end();
    },
  },
  BotwardenPositionsUnknown: {
    what: 'positions that stand under another path',
    async stage(scene) {
      const bot = await scene.bot();
      return () => scene.sidecar(bot, { BOT_POSITIONS_PATH: '/elsewhere' });
    },
  },
  BotwardenAlertsUndelivered: {
    what: 'a webhook that is away',
    async stage(scene) {
      const bot = await scene.bot();
      await scene.ready(
        await scene.sidecar(bot, { ALERT_WEBHOOK_URL: `http://127.0.0.1:${await freePort()}/` }),
      );
      return () => misbehave(bot, 'unload-model');
    },
  },
  BotwardenDashboardDown: {
    what: 'a dashboard that is killed',
    async stage(scene) {
      const dashboard = await scene.dashboard(await scene.sidecar(await scene.bot()));
      return () => dashboard.end();
    },
    about: ({ instance }) => instance,
  },
  BotwardenOnHold: {
    what: 'a drain by a person',
    async stage(scene) {
      const bot = await scene.bot();
      const sidecar = await scene.sidecar(bot);
      await scene.ready(sidecar);
      return () => scene.drain(sidecar);
    },
  },
};

describe.skipIf(prometheusTools === undefined)(
  `each alert, in a real Prometheus that scrapes real sidecars${prometheusTools === undefined ? ' (skipped: apt-get install prometheus)' : ''}`,
  () => {
    let prometheus: Prometheus;
    const table: string[] = [];
    beforeAll(async () => {
      prometheus = await startPrometheus([rules('recording'), rules('alerts')].map(hasty));
    });
    afterAll(async () => {
      await prometheus?.end();
      process.stdout.write(`\n${table.join('\n')}\n`);
    });

    /** The alerts that fire about a bot, or about an address. */
    async function firing(about: string): Promise<string[]> {
      const samples = await prometheus.ask('ALERTS{alertstate="firing"}');
      return samples
        .filter(({ labels }) => labels.bot === about || labels.instance === about)
        .map(({ labels }) => labels.alertname ?? '');
    }

    test('none fires for a bot that is well, with gate and dashboard', async () => {
      await using scene = new Scene(prometheus, 'well');
      const sidecar = await scene.sidecar(await scene.bot());
      await scene.gate(sidecar, 'boot-1');
      const dashboard = await scene.dashboard(sidecar);
      await scene.ready(sidecar);
      await until('both are scraped', async () => (await prometheus.ask('up == 1')).length === 2);
      await until('open positions are known', async () => {
        const open = await prometheus.ask('botwarden_open_positions{bot="well"}');
        return open.length > 0;
      });
      // Several scrapes and evaluations later.
      const since = Date.now() / 1000 + 3;
      await until('three seconds of scrapes', async () => {
        const [newest] = await prometheus.ask('timestamp(botwarden_ready{bot="well"})');
        return newest !== undefined && newest.value > since;
      });
      expect(await firing('well')).toEqual([]);
      expect(await firing(new URL(dashboard.url).host)).toEqual([]);
    });

    test('there is a fault for every alert', () => {
      expect([...Object.keys(FAULTS), ...NO_FAULT].sort()).toEqual([...alerts].sort());
    });

    for (const [alert, { what, stage, about }] of Object.entries(FAULTS)) {
      test(`${alert} fires on ${what}`, async () => {
        await using scene = new Scene(prometheus, alert);
        const ill = await stage(scene);
        await scene.scraped();
        const of = about?.(scene) ?? scene.name;
        expect(await firing(of)).not.toContain(alert);
        const began = performance.now();
        await ill();
        await until(`${alert} fires`, async () => (await firing(of)).includes(alert), 40_000);
        table.push(
          `${alert.padEnd(28)} ${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s  ${what}`,
        );
      }, 120_000);
    }
  },
);
