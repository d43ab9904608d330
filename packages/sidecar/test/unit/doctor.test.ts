import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/doctor/diagnose.ts';
import { ComposeModelError, readComposeModel, spanMs } from '../../src/doctor/model.ts';
import { report } from '../../src/doctor/report.ts';

type Json = Record<string, unknown>;

/** A stack in which nothing is wrong, as Compose prints it. */
function good(): { services: Record<'db' | 'bot' | 'sidecar', Json> } {
  return {
    services: {
      db: {
        image: 'postgres:17',
        restart: 'unless-stopped',
        healthcheck: { test: ['CMD', 'pg_isready'] },
        environment: { POSTGRES_PASSWORD_FILE: '/run/secrets/db_password' },
      },
      bot: {
        image: 'my-bot',
        build: { context: '.' },
        entrypoint: null,
        command: null,
        environment: {
          GATE_TIMEOUT: '70s',
          KILL_AFTER: '5s',
          BOT_TOKEN_FILE: '/run/secrets/bot_token',
          DRAIN_TOKEN_FILE: '/run/secrets/drain_token',
        },
        secrets: [
          { source: 'bot_token', target: '/run/secrets/bot_token' },
          { source: 'drain_token', target: '/run/secrets/drain_token' },
        ],
        depends_on: { db: { condition: 'service_healthy', required: true } },
        healthcheck: { test: ['CMD', 'curl', '-fsS', '--max-time', '3', 'http://sidecar:9400/readyz'] },
        restart: 'unless-stopped',
        init: true,
        stop_grace_period: '1m30s',
      },
      sidecar: {
        image: 'botwarden-sidecar:0.1.0',
        environment: {
          BOT_URL: 'http://bot:8000',
          BOT_TOKEN_FILE: '/run/secrets/bot_token',
          DRAIN_TOKEN_FILE: '/run/secrets/drain_token',
          STOP_GRACE_PERIOD: '70s',
        },
        secrets: [
          { source: 'bot_token', target: '/run/secrets/bot_token' },
          { source: 'drain_token', target: '/run/secrets/drain_token' },
        ],
        depends_on: { bot: { condition: 'service_started', required: true } },
        healthcheck: { test: ['CMD', 'curl', '-fsS', '--max-time', '3', 'http://localhost:9400/ping'] },
        volumes: [{ type: 'volume', source: 'receipts', target: '/var/lib/botwarden' }],
        restart: 'unless-stopped',
        init: true,
        stop_grace_period: '1m10s',
      },
    },
  };
}

/** What is found in that stack after a change. */
function after(change: (services: ReturnType<typeof good>['services'] & Record<string, Json>) => void) {
  const stack = good();
  change(stack.services);
  return diagnose(readComposeModel(JSON.stringify(stack)));
}

const env = (service: Json): Json => service.environment as Json;
const healthcheck = (...test: string[]) => ({ test: ['CMD', ...test] });

it('finds nothing in a stack in which nothing is wrong', () => {
  expect(after(() => {})).toEqual([]);
});

describe('names', () => {
  it.each<[code: string, severity: string, service: string | null, change: Parameters<typeof after>[0]]>([
    // Stopping
    ['NO_SIDECAR', 'error', null, (s) => delete env(s.sidecar).BOT_URL],
    ['BOT_NOT_IN_STACK', 'warning', 'sidecar', (s) => (env(s.sidecar).BOT_URL = 'http://elsewhere:8000')],
    ['NO_GATE', 'error', 'bot', (s) => (s.bot.environment = { BOT_TOKEN_FILE: '/run/secrets/bot_token' })],
    ['NO_GATE', 'error', 'bot', (s) => (s.bot.entrypoint = ['python', '-m', 'bot'])],
    ['DEPENDS_ON_MISSING', 'warning', 'sidecar', (s) => delete s.sidecar.depends_on],
    [
      'DEPENDS_ON_WRONG_WAY',
      'warning',
      'bot',
      (s) => {
        delete s.sidecar.depends_on;
        s.bot.depends_on = {
          db: { condition: 'service_healthy' },
          sidecar: { condition: 'service_started' },
        };
      },
    ],
    [
      'DEPENDS_ON_RESTART',
      'error',
      'sidecar',
      (s) => (s.sidecar.depends_on = { bot: { condition: 'service_started', restart: true } }),
    ],
    [
      'DEPENDS_ON_DEADLOCK',
      'error',
      'sidecar',
      (s) => (s.sidecar.depends_on = { bot: { condition: 'service_healthy' } }),
    ],
    [
      'SIDECAR_GRACE_TOO_SHORT',
      'error',
      'sidecar',
      (s) => {
        s.sidecar.stop_grace_period = '1m4s';
        env(s.sidecar).STOP_GRACE_PERIOD = '64s';
      },
    ],
    [
      'SIDECAR_GRACE_TOO_SHORT',
      'error',
      'sidecar',
      (s) => {
        delete s.sidecar.stop_grace_period;
        delete env(s.sidecar).STOP_GRACE_PERIOD;
      },
    ],
    ['GRACE_NOT_AS_TOLD', 'error', 'sidecar', (s) => (env(s.sidecar).STOP_GRACE_PERIOD = '2m')],
    ['BOT_GRACE_TOO_SHORT', 'error', 'bot', (s) => (s.bot.stop_grace_period = '1m14s')],
    ['BOT_GRACE_TOO_SHORT', 'error', 'bot', (s) => delete s.bot.stop_grace_period],
    ['GATE_SHORTER_THAN_DRAIN', 'error', 'bot', (s) => (env(s.bot).GATE_TIMEOUT = '59s')],
    ['DRAIN_TOKEN_MISSING', 'warning', 'sidecar', (s) => delete env(s.sidecar).DRAIN_TOKEN_FILE],
    ['DRAIN_TOKEN_MISSING', 'warning', 'bot', (s) => delete env(s.bot).DRAIN_TOKEN_FILE],
    [
      'DRAIN_TOKEN_MISSING',
      'warning',
      'bot',
      (s) =>
        (s.bot.secrets = [
          { source: 'bot_token', target: '/run/secrets/bot_token' },
          { source: 'other', target: '/run/secrets/drain_token' },
        ]),
    ],
    ['BOT_TOKEN_DIFFERS', 'error', 'sidecar', (s) => delete env(s.sidecar).BOT_TOKEN_FILE],
    ['STOP_SIGNAL', 'error', 'bot', (s) => (s.bot.stop_signal = 'SIGKILL')],
    ['STOP_SIGNAL', 'error', 'sidecar', (s) => (s.sidecar.stop_signal = 'SIGQUIT')],
    ['DATABASE_STOPS_TOO_EARLY', 'warning', 'bot', (s) => delete s.bot.depends_on],
    ['RECEIPTS_NOT_KEPT', 'warning', 'sidecar', (s) => delete s.sidecar.volumes],
    [
      'RECEIPTS_NOT_KEPT',
      'warning',
      'sidecar',
      (s) => (s.sidecar.volumes = [{ type: 'volume', target: '/var/lib/botwarden' }]),
    ],
    // Coming back
    ['NO_RESTART_POLICY', 'error', 'bot', (s) => delete s.bot.restart],
    ['NO_RESTART_POLICY', 'error', 'sidecar', (s) => (s.sidecar.restart = 'no')],
    ['RESTART_POLICY_GIVES_UP', 'warning', 'bot', (s) => (s.bot.restart = 'on-failure:3')],
    ['SHARED_NAMESPACE', 'error', 'sidecar', (s) => (s.sidecar.pid = 'service:bot')],
    [
      'SHARED_NAMESPACE',
      'error',
      'sidecar',
      (s) => {
        s.sidecar.network_mode = 'service:bot';
        env(s.sidecar).BOT_URL = 'http://localhost:8000';
      },
    ],
    ['NO_INIT', 'warning', 'bot', (s) => delete s.bot.init],
    ['SIGNAL_SWALLOWED', 'warning', 'bot', (s) => (s.bot.command = ['sh', '-c', 'python -m bot'])],
    ['SIGNAL_SWALLOWED', 'warning', 'sidecar', (s) => (s.sidecar.command = ['npm', 'start'])],
    ['NO_HEALTHCHECK', 'warning', 'bot', (s) => delete s.bot.healthcheck],
    ['NO_HEALTHCHECK', 'warning', 'sidecar', (s) => (s.sidecar.healthcheck = { disable: true })],
    [
      'HEALTHCHECK_ALWAYS_PASSES',
      'error',
      'bot',
      (s) => (s.bot.healthcheck = healthcheck('curl', '--max-time', '3', 'http://sidecar:9400/readyz')),
    ],
    [
      'HEALTHCHECK_WITHOUT_LIMIT',
      'warning',
      'bot',
      (s) => (s.bot.healthcheck = { test: ['CMD-SHELL', 'curl -f http://sidecar:9400/readyz || exit 1'] }),
    ],
    [
      'SIDECAR_HEALTH_IS_BOTS',
      'warning',
      'sidecar',
      (s) =>
        (s.sidecar.healthcheck = healthcheck(
          'curl',
          '-fsS',
          '--max-time',
          '3',
          'http://localhost:9400/readyz',
        )),
    ],
    // Exposure
    [
      'ENGINE_SOCKET',
      'error',
      'sidecar',
      (s) =>
        (s.sidecar.volumes as Json[]).push({
          type: 'bind',
          source: '/var/run/docker.sock',
          target: '/var/run/docker.sock',
        }),
    ],
    ['SECRET_IN_ENVIRONMENT', 'error', 'bot', (s) => (env(s.bot).EXCHANGE_API_KEY = 'abc')],
    ['SECRET_IN_ENVIRONMENT', 'error', 'db', (s) => (env(s.db).POSTGRES_PASSWORD = 'abc')],
    ['SECRET_IN_ENVIRONMENT', 'error', 'bot', (s) => (env(s.bot).DATABASE_URL = 'postgres://bot:abc@db/bot')],
    ['SECRET_IN_IMAGE', 'error', 'bot', (s) => (s.bot.build = { context: '.', args: { PIP_TOKEN: 'abc' } })],
    ['PORT_PUBLISHED', 'error', 'bot', (s) => (s.bot.ports = [{ target: 8000, published: '8000' }])],
    [
      'PORT_PUBLISHED',
      'error',
      'db',
      (s) => (s.db.ports = [{ target: 5432, published: '5432', host_ip: '0.0.0.0' }]),
    ],
    [
      'PORT_PUBLISHED',
      'warning',
      'dashboard',
      (s) => (s.dashboard = { image: 'd:1', ports: [{ target: 9500, published: '9500' }] }),
    ],
    ['HOST_NETWORK', 'error', 'bot', (s) => (s.bot.network_mode = 'host')],
    ['IMAGE_MOVES', 'warning', 'sidecar', (s) => (s.sidecar.image = 'botwarden-sidecar')],
    [
      'IMAGE_MOVES',
      'warning',
      'sidecar',
      (s) => (s.sidecar.image = 'localhost:5000/botwarden-sidecar:latest'),
    ],
    ['MISBEHAVIOUR_ALLOWED', 'error', 'bot', (s) => (env(s.bot).ALLOW_MISBEHAVIOUR = '1')],
  ])('%s (%s) in %s', (code, severity, service, change) => {
    const findings = after(change);
    expect(findings).toEqual([expect.objectContaining({ code, severity, service })]);
    const [finding] = findings;
    expect(finding?.happens).toMatch(/\.$/);
    expect(finding?.mend).toMatch(/\.$/);
  });
});

describe('is content with', () => {
  it.each<[what: string, change: Parameters<typeof after>[0]]>([
    [
      'a gate on the command line',
      (s) => {
        s.bot.entrypoint = ['/usr/bin/tini', '--', '/usr/local/bin/hold-until-flat'];
        delete s.bot.init;
      },
    ],
    ['always as restart policy', (s) => (s.bot.restart = 'always')],
    [
      'a port on the loopback',
      (s) => (s.bot.ports = [{ target: 8000, published: '8000', host_ip: '127.0.0.1' }]),
    ],
    ['an image by its digest', (s) => (s.sidecar.image = 'registry:5000/botwarden-sidecar@sha256:0123')],
    ['a secret that is a path', (s) => (env(s.bot).PRIVATE_KEY_PATH = '/run/secrets/key')],
    ['a secret that is empty', (s) => (env(s.bot).API_KEY = '')],
    ['exec in a shell', (s) => (s.bot.command = ['sh', '-c', 'exec python -m bot'])],
    [
      'a bot known by an alias',
      (s) => {
        s.bot.networks = { default: { aliases: ['trader'] } };
        env(s.sidecar).BOT_URL = 'http://trader:8000';
      },
    ],
    [
      'flags of curl in one word',
      (s) => (s.bot.healthcheck = healthcheck('curl', '-sSfm', '3', 'http://sidecar:9400/readyz')),
    ],
    [
      'a database that the bot reaches by way of another',
      (s) => {
        s.migrate = { image: 'm:1', depends_on: { db: {} } };
        s.bot.depends_on = { migrate: {} };
      },
    ],
    ['keys that it does not know', (s) => (s.bot['x-note'] = { any: 1 })],
  ])('%s', (_what, change) => {
    expect(after(change)).toEqual([]);
  });
});

describe('tells which commands can leave positions open', () => {
  const ungated = (s: ReturnType<typeof good>['services']) => {
    s.bot.entrypoint = ['python', '-m', 'bot'];
  };

  it('without a gate: all but the two that stop the sidecar first', () => {
    const [finding] = after(ungated);
    expect(finding?.leavesOpen).toEqual([
      'docker compose restart',
      'docker compose stop bot',
      'docker compose restart bot',
      'docker compose up -d (after a change of bot)',
      'docker compose up -d --force-recreate',
      'docker stop bot',
      'docker restart bot',
      'docker kill -s TERM bot',
      'shutdown or reboot of the host',
    ]);
  });

  it('without a gate and without depends_on: those two as well', () => {
    const findings = after((s) => {
      ungated(s);
      delete s.sidecar.depends_on;
    });
    expect(findings.map(({ code, severity }) => [code, severity])).toEqual([
      ['NO_GATE', 'error'],
      ['DEPENDS_ON_MISSING', 'error'],
    ]);
    expect(findings[0]?.leavesOpen).toEqual(
      expect.arrayContaining(['docker compose stop', 'docker compose down']),
    );
  });

  it('without a gate and with a sidecar that is killed too early: those two as well', () => {
    const findings = after((s) => {
      ungated(s);
      s.sidecar.stop_grace_period = '20s';
      delete env(s.sidecar).STOP_GRACE_PERIOD;
    });
    expect(findings.map(({ code }) => code)).toEqual(['NO_GATE', 'SIDECAR_GRACE_TOO_SHORT']);
    expect(findings[0]?.leavesOpen).toContain('docker compose down');
  });
});

it('shows no secret, whatever it finds', () => {
  const findings = after((s) => {
    env(s.bot).API_KEY = 'hunter2';
    env(s.bot).DATABASE_URL = 'postgres://bot:hunter2@db/bot';
    env(s.bot).BOT_TOKEN = 'hunter2';
    s.bot.build = { args: { TOKEN: 'hunter2' } };
  });
  expect(findings.length).toBeGreaterThan(3);
  expect(JSON.stringify(findings) + report(findings)).not.toContain('hunter2');
});

it('puts errors before warnings, and tells a person how many there are', () => {
  const findings = after((s) => {
    delete s.bot.init;
    delete s.bot.restart;
  });
  expect(findings.map(({ severity }) => severity)).toEqual(['error', 'warning']);
  expect(report(findings)).toMatch(/1 error, 1 warning\./);
  expect(report([])).toMatch(/^Nothing is wrong\./);
});

describe('refuses', () => {
  it.each([
    ['nothing', ''],
    ['YAML', 'services:\n  bot: {}'],
    ['JSON without services', '{"name":"x"}'],
    ['a list', '[]'],
    ['a service that is a text', '{"services":{"bot":"image"}}'],
  ])('%s', (_what, input) => {
    expect(() => readComposeModel(input)).toThrow(ComposeModelError);
    expect(() => readComposeModel(input)).toThrow(/docker compose config --format json/);
  });
});

it.each([
  ['10s', 10_000],
  ['1m30s', 90_000],
  ['1h0m5s', 3_605_000],
  ['500ms', 500],
  ['1.5s', 1500],
  ['soon', undefined],
  ['', undefined],
])('reads a span of %s', (span, ms) => {
  expect(spanMs(span)).toBe(ms);
});
