import { Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { doctor } from '../../src/commands/doctor.ts';
import { diagnose, RULES } from '../../src/doctor/diagnose.ts';
import { ComposeModelError, readComposeModel, spanMs } from '../../src/doctor/model.ts';
import { report, reportJson } from '../../src/doctor/report.ts';
import type { Named } from '../../src/doctor/roles.ts';
import type { Host } from '../../src/host.ts';

type Json = Record<string, unknown>;
type Services = Record<'db' | 'bot' | 'sidecar', Json> & Record<string, Json>;
interface Model {
  name: string;
  services: Services;
  secrets: Record<string, Json>;
}

/** A stack in which nothing is wrong, as Compose prints it. */
function good(): Model {
  const logging = { driver: 'json-file', options: { 'max-size': '10m' } };
  const secrets = [
    { source: 'bot_token', target: '/run/secrets/bot_token' },
    { source: 'drain_token', target: '/run/secrets/drain_token' },
  ];
  return {
    name: 'shop',
    secrets: { bot_token: { name: 'shop_bot_token', file: '/etc/botwarden/secrets/bot_token' } },
    services: {
      db: {
        image: 'postgres:17',
        restart: 'unless-stopped',
        healthcheck: { test: ['CMD', 'pg_isready'] },
        environment: { POSTGRES_PASSWORD_FILE: '/run/secrets/db_password' },
        volumes: [{ type: 'volume', source: 'db', target: '/var/lib/postgresql/data' }],
        networks: { data: null },
        logging,
      },
      bot: {
        image: 'my-bot',
        build: { context: '.' },
        entrypoint: ['hold-until-flat'],
        command: ['python', '-m', 'bot'],
        environment: {
          GATE_TIMEOUT: '70s',
          KILL_AFTER: '5s',
          BOT_TOKEN_FILE: '/run/secrets/bot_token',
          DRAIN_TOKEN_FILE: '/run/secrets/drain_token',
        },
        secrets,
        depends_on: { db: { condition: 'service_healthy', required: true } },
        healthcheck: {
          test: ['CMD', 'curl', '-fsS', '--max-time', '3', 'http://sidecar:9400/readyz'],
          start_period: '3m0s',
        },
        networks: { data: null, outside: null },
        restart: 'unless-stopped',
        init: true,
        mem_limit: '2147483648',
        stop_grace_period: '1m30s',
        logging,
      },
      sidecar: {
        image: 'botwarden-sidecar:0.1.0',
        entrypoint: null,
        command: null,
        environment: {
          BOT_URL: 'http://bot:8000',
          BOT_TOKEN_FILE: '/run/secrets/bot_token',
          DRAIN_TOKEN_FILE: '/run/secrets/drain_token',
          ALERT_WEBHOOK_URL_FILE: '/run/secrets/alert_webhook_url',
          STOP_GRACE_PERIOD: '70s',
        },
        secrets,
        depends_on: { bot: { condition: 'service_started', required: true } },
        healthcheck: { test: ['CMD', 'curl', '-fsS', '--max-time', '3', 'http://localhost:9400/ping'] },
        volumes: [{ type: 'volume', source: 'receipts', target: '/var/lib/botwarden' }],
        networks: { data: null },
        restart: 'unless-stopped',
        init: true,
        stop_grace_period: '1m10s',
        logging,
      },
    },
  };
}

type Change = (services: Services, model: Model) => void;

/** What is found in that stack after a change. */
function after(change: Change, named: Named = {}) {
  const model = good();
  change(model.services, model);
  return diagnose(readComposeModel(JSON.stringify(model)), named);
}

const env = (service: Json): Json => service.environment as Json;
const healthcheck = (...test: string[]) => ({ test: ['CMD', ...test], start_period: '3m0s' });
const shell = (line: string) => ({ test: ['CMD-SHELL', line], start_period: '3m0s' });
const production: Change = ({ bot }) => {
  bot.labels = { 'io.botwarden.environment': 'production' };
};
const all =
  (...changes: Change[]): Change =>
  (services, model) => {
    for (const change of changes) change(services, model);
  };

interface Case {
  severity: 'error' | 'warning';
  service: string | null;
  /** Makes the stack wrong in this one way. */
  trips: Change;
  /** As close to that as a stack may come. */
  spares: Change;
}

/** For each rule what trips it, at least once, and what does not. */
const CASES: Record<string, readonly Case[]> = {
  // Stopping
  NO_SIDECAR: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        delete env(s.sidecar).BOT_URL;
      },
      spares: (s) => {
        s.watcher = s.sidecar;
        delete (s as Record<string, Json>).sidecar;
        env(s.bot).SIDECAR_URL = 'http://watcher:9400';
      },
    },
  ],
  BOT_NOT_IN_STACK: [
    {
      severity: 'warning',
      service: 'sidecar',
      trips: (s) => {
        env(s.sidecar).BOT_URL = 'http://elsewhere:8000';
      },
      spares: (s) => {
        s.bot.networks = { data: { aliases: ['trader'] } };
        env(s.sidecar).BOT_URL = 'http://trader:8000';
      },
    },
  ],
  NO_GATE: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.entrypoint = ['python', '-m', 'bot'];
        s.bot.command = null;
      },
      spares: (s) => {
        s.bot.entrypoint = ['/usr/bin/tini', '-g', '--', '/usr/local/bin/hold-until-flat'];
        delete s.bot.init;
      },
    },
  ],
  GATE_UNKNOWN: [
    {
      severity: 'error',
      service: 'bot',
      // The gate's own variables prove nothing: the image may be any.
      trips: (s) => {
        s.bot.entrypoint = null;
      },
      spares: (s) => {
        s.bot.entrypoint = null;
        s.bot.command = ['hold-until-flat', 'python', '-m', 'bot'];
      },
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.entrypoint = ['/entrypoint.sh', 'hold-until-flat'];
      },
      spares: () => {},
    },
  ],
  DEPENDS_ON_MISSING: [
    {
      severity: 'warning',
      service: 'sidecar',
      trips: (s) => {
        delete s.sidecar.depends_on;
      },
      spares: () => {},
    },
  ],
  DEPENDS_ON_WRONG_WAY: [
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        delete s.sidecar.depends_on;
        s.bot.depends_on = { db: {}, sidecar: { condition: 'service_healthy' } };
      },
      spares: () => {},
    },
  ],
  DEPENDS_ON_RESTART: [
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.depends_on = { bot: { condition: 'service_started', restart: true } };
      },
      spares: (s) => {
        s.sidecar.depends_on = { bot: { condition: 'service_started', restart: false } };
      },
    },
  ],
  DEPENDS_ON_DEADLOCK: [
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.depends_on = { bot: { condition: 'service_healthy' } };
      },
      spares: (s) => {
        s.dashboard = {
          ...s.sidecar,
          environment: {},
          depends_on: { bot: { condition: 'service_healthy' } },
        };
      },
    },
  ],
  SIDECAR_GRACE_TOO_SHORT: [
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.stop_grace_period = '1m4s';
        env(s.sidecar).STOP_GRACE_PERIOD = '64s';
      },
      spares: (s) => {
        s.sidecar.stop_grace_period = '1m5s';
        env(s.sidecar).STOP_GRACE_PERIOD = '65s';
      },
    },
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        delete s.sidecar.stop_grace_period;
        delete env(s.sidecar).STOP_GRACE_PERIOD;
      },
      spares: (s) => {
        delete s.sidecar.stop_grace_period;
        delete env(s.sidecar).STOP_GRACE_PERIOD;
        env(s.sidecar).DRAIN_TIMEOUT = '5s';
      },
    },
  ],
  GRACE_NOT_AS_TOLD: [
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        env(s.sidecar).STOP_GRACE_PERIOD = '71s';
      },
      spares: (s) => {
        env(s.sidecar).STOP_GRACE_PERIOD = '69s';
      },
    },
  ],
  BOT_GRACE_TOO_SHORT: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.stop_grace_period = '1m14s';
      },
      spares: (s) => {
        s.bot.stop_grace_period = '1m15s';
      },
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        delete s.bot.stop_grace_period;
      },
      spares: () => {},
    },
  ],
  GATE_SHORTER_THAN_DRAIN: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        env(s.bot).GATE_TIMEOUT = '60s';
      },
      spares: (s) => {
        env(s.bot).GATE_TIMEOUT = '61s';
      },
    },
  ],
  SPAN_UNREADABLE: [
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        env(s.sidecar).DRAIN_TIMEOUT = '1m0s';
      },
      spares: (s) => {
        env(s.sidecar).DRAIN_TIMEOUT = '1m';
      },
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        env(s.bot).KILL_AFTER = '5';
      },
      spares: (s) => {
        env(s.bot).KILL_AFTER = '5000ms';
      },
    },
  ],
  GATE_CANNOT_REACH_SIDECAR: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        env(s.bot).SIDECAR_URL = 'http://db:9400';
      },
      spares: (s) => {
        env(s.bot).SIDECAR_URL = 'http://sidecar:9400/';
      },
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        env(s.bot).SIDECAR_URL = '';
      },
      spares: () => {},
    },
  ],
  NO_SHARED_NETWORK: [
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.networks = { elsewhere: null };
      },
      spares: (s) => {
        s.sidecar.networks = { elsewhere: null, outside: null };
      },
    },
  ],
  DRAIN_TOKEN_MISSING: [
    {
      severity: 'warning',
      service: 'sidecar',
      trips: (s) => {
        delete env(s.sidecar).DRAIN_TOKEN_FILE;
      },
      spares: () => {},
    },
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        s.bot.secrets = [
          { source: 'bot_token', target: '/run/secrets/bot_token' },
          { source: 'other', target: '/run/secrets/drain_token' },
        ];
      },
      spares: (s) => {
        env(s.bot).DRAIN_TOKEN_FILE = '/run/secrets/token';
        s.bot.secrets = [
          { source: 'bot_token', target: '/run/secrets/bot_token' },
          { source: 'drain_token', target: '/run/secrets/token' },
        ];
      },
    },
  ],
  BOT_TOKEN_DIFFERS: [
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        delete env(s.sidecar).BOT_TOKEN_FILE;
      },
      spares: (s) => {
        delete env(s.sidecar).BOT_TOKEN_FILE;
        delete env(s.bot).BOT_TOKEN_FILE;
      },
    },
  ],
  STOP_SIGNAL: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.stop_signal = 'SIGKILL';
      },
      spares: (s) => {
        s.bot.stop_signal = 'SIGQUIT';
      },
    },
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.stop_signal = 'SIGQUIT';
      },
      spares: (s) => {
        s.sidecar.stop_signal = 'SIGINT';
      },
    },
  ],
  SIGNAL_SWALLOWED: [
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        s.bot.command = ['sh', '-c', 'python -m bot'];
      },
      spares: (s) => {
        s.bot.command = ['sh', '-c', 'exec python -m bot'];
      },
    },
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.entrypoint = ['npm', 'start'];
      },
      spares: (s) => {
        s.sidecar.entrypoint = ['node', 'main.js'];
      },
    },
  ],
  PRE_STOP_HOOK: [
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        s.bot.pre_stop = [{ command: ['close'] }];
      },
      spares: (s) => {
        s.db.pre_stop = [{ command: ['checkpoint'] }];
      },
    },
  ],
  BOT_SCALED: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.deploy = { replicas: 2 };
      },
      spares: (s) => {
        s.bot.deploy = { replicas: 1 };
        s.bot.scale = 1;
      },
    },
  ],
  DATABASE_STOPS_TOO_EARLY: [
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        delete s.bot.depends_on;
      },
      spares: (s) => {
        s.migrate = { image: 'm:1', depends_on: { db: {} }, logging: { driver: 'local' } };
        s.bot.depends_on = { migrate: {} };
      },
    },
  ],
  // Coming back
  NO_RESTART_POLICY: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        delete s.bot.restart;
      },
      spares: (s) => {
        delete s.bot.restart;
        s.bot.deploy = { restart_policy: { condition: 'any' } };
      },
    },
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.restart = 'no';
      },
      spares: (s) => {
        s.sidecar.restart = 'always';
      },
    },
  ],
  RESTART_POLICY_GIVES_UP: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.restart = 'on-failure:3';
      },
      spares: (s) => {
        s.db.restart = 'on-failure:3';
      },
    },
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        delete s.bot.restart;
        s.bot.deploy = { restart_policy: { condition: 'on-failure' } };
      },
      spares: () => {},
    },
  ],
  SHARED_NAMESPACE: [
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.pid = 'service:bot';
      },
      spares: (s) => {
        s.sidecar.ipc = 'private';
      },
    },
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.network_mode = 'service:bot';
        s.sidecar.networks = null;
        env(s.sidecar).BOT_URL = 'http://localhost:8000';
      },
      spares: () => {},
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.network_mode = 'container:vpn';
        s.bot.networks = null;
      },
      spares: () => {},
    },
  ],
  NO_INIT: [
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        delete s.bot.init;
      },
      spares: (s) => {
        delete s.db.init;
      },
    },
  ],
  NO_HEALTHCHECK: [
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        delete s.bot.healthcheck;
      },
      spares: (s) => {
        s.cache = { image: 'redis:7', logging: { driver: 'local' } };
      },
    },
    {
      severity: 'warning',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.healthcheck = { disable: true };
      },
      spares: () => {},
    },
    {
      severity: 'warning',
      service: 'page',
      trips: (s) => {
        s.page = { image: 'botwarden-dashboard:0.1.0', logging: { driver: 'local' } };
      },
      spares: () => {},
    },
  ],
  HEALTHCHECK_ALWAYS_PASSES: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.healthcheck = healthcheck('curl', '--max-time', '3', 'http://sidecar:9400/readyz');
      },
      spares: (s) => {
        s.bot.healthcheck = healthcheck('curl', '-sSfm', '3', 'http://sidecar:9400/readyz');
      },
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.healthcheck = shell('curl -fsS --max-time 3 http://sidecar:9400/readyz || true');
      },
      spares: (s) => {
        s.bot.healthcheck = shell('curl -fsS -m3 http://sidecar:9400/readyz || exit 1');
      },
    },
  ],
  HEALTHCHECK_WITHOUT_LIMIT: [
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        s.bot.healthcheck = shell('curl -f http://sidecar:9400/readyz || exit 1');
      },
      spares: (s) => {
        s.bot.healthcheck = shell('curl -f --max-time=3 http://sidecar:9400/readyz || exit 1');
      },
    },
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        s.bot.healthcheck = healthcheck('wget', '-q', '--spider', 'http://sidecar:9400/readyz');
      },
      spares: (s) => {
        s.bot.healthcheck = healthcheck('wget', '-q', '-T', '3', '--spider', 'http://sidecar:9400/readyz');
      },
    },
  ],
  SIDECAR_HEALTH_IS_BOTS: [
    {
      severity: 'warning',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.healthcheck = healthcheck('curl', '-fsS', '-m', '3', 'http://localhost:9400/readyz');
      },
      spares: (s) => {
        s.sidecar.healthcheck = healthcheck('curl', '-fsS', '-m', '3', 'http://localhost:9400/ping');
      },
    },
  ],
  START_PERIOD_TOO_SHORT: [
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        env(s.sidecar).STARTUP_GRACE = '181s';
      },
      spares: (s) => {
        env(s.sidecar).STARTUP_GRACE = '3m';
      },
    },
  ],
  NO_ALERTS: [
    {
      severity: 'warning',
      service: 'sidecar',
      trips: (s) => {
        delete env(s.sidecar).ALERT_WEBHOOK_URL_FILE;
        env(s.sidecar).ALERT_WEBHOOK_URL = '';
      },
      spares: () => {},
    },
  ],
  // Exposure
  ENGINE_SOCKET: [
    {
      severity: 'error',
      service: 'db',
      trips: (s) => {
        (s.db.volumes as Json[]).push({ type: 'bind', source: '/var/run/docker.sock', target: '/x' });
      },
      spares: (s) => {
        (s.db.volumes as Json[]).push({ type: 'bind', source: '/run/postgresql', target: '/run/postgresql' });
      },
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.volumes = [{ type: 'bind', source: '/', target: '/host' }];
      },
      spares: (s) => {
        s.bot.volumes = [{ type: 'bind', source: '/srv/models', target: '/models' }];
      },
    },
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.use_api_socket = true;
      },
      spares: () => {},
    },
  ],
  SECRET_IN_ENVIRONMENT: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        env(s.bot).EXCHANGE_API_KEY = 'hunter2';
      },
      spares: (s) => {
        env(s.bot).EXCHANGE_API_KEY = '';
        env(s.bot).EXCHANGE_API_KEY_FILE = '/run/secrets/exchange';
        env(s.bot).TOKEN_TTL = '60';
        env(s.bot).USE_TOKEN = 'true';
      },
    },
    {
      severity: 'error',
      service: 'db',
      trips: (s) => {
        env(s.db).POSTGRES_PASSWORD = 'hunter2';
      },
      spares: () => {},
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        env(s.bot).DATABASE = 'postgres://bot:hunter2@db/bot';
      },
      spares: (s) => {
        env(s.bot).DATABASE = 'postgres://bot@db:5432/bot';
      },
    },
    {
      severity: 'warning',
      service: 'sidecar',
      trips: (s) => {
        env(s.sidecar).EMERGENCY_CLOSE_URL = 'https://example.com/hunter2';
      },
      spares: (s) => {
        env(s.sidecar).EMERGENCY_CLOSE_URL = '';
      },
    },
  ],
  SECRET_IN_COMMAND: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.command = ['python', '-m', 'bot', '--api-key=hunter2'];
      },
      spares: (s) => {
        s.bot.command = ['python', '-m', 'bot', '--api-key-file=/run/secrets/key'];
      },
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.command = ['python', '-m', 'bot', 'postgres://bot:hunter2@db/bot'];
      },
      spares: () => {},
    },
  ],
  SECRET_IN_IMAGE: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.build = { context: '.', args: { PIP_TOKEN: 'hunter2' } };
      },
      spares: (s) => {
        s.bot.build = { context: '.', args: { PYTHON: '3.13' } };
      },
    },
  ],
  DEVELOPMENT_SECRETS: [
    {
      severity: 'warning',
      service: null,
      trips: (_s, model) => {
        model.secrets.bot_token = { file: '/srv/botwarden/docker/secrets/development/bot_token' };
      },
      spares: (_s, model) => {
        model.secrets.bot_token = { file: '/srv/development/secrets/bot_token' };
      },
    },
    {
      severity: 'error',
      service: null,
      trips: all(production, (_s, model) => {
        model.secrets.bot_token = { file: '/srv/botwarden/docker/secrets/development/bot_token' };
      }),
      spares: production,
    },
  ],
  PORT_PUBLISHED: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.ports = [{ target: 8000, published: '8000' }];
      },
      spares: (s) => {
        s.bot.ports = [{ target: 8000, published: '8000', host_ip: '127.0.0.1' }];
      },
    },
    {
      severity: 'error',
      service: 'sidecar',
      // Without a port of the host: one that is chosen at random, open all the same.
      trips: (s) => {
        s.sidecar.ports = [{ target: 9400 }];
      },
      spares: (s) => {
        s.sidecar.ports = [{ target: 9400, published: '9400', host_ip: '::1' }];
      },
    },
    {
      severity: 'error',
      service: 'db',
      trips: (s) => {
        s.db.ports = [{ target: 5432, published: '5432', host_ip: '0.0.0.0' }];
      },
      spares: () => {},
    },
    {
      severity: 'warning',
      service: 'page',
      trips: (s) => {
        s.page = { image: 'p:1', ports: [{ target: 80, published: '80' }], logging: { driver: 'local' } };
      },
      spares: () => {},
    },
  ],
  HOST_NAMESPACE: [
    {
      severity: 'error',
      service: 'db',
      trips: (s) => {
        s.db.network_mode = 'host';
      },
      spares: (s) => {
        s.db.network_mode = 'none';
      },
    },
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        s.bot.pid = 'host';
      },
      spares: () => {},
    },
  ],
  IMAGE_MOVES: [
    {
      severity: 'warning',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.image = 'localhost:5000/botwarden-sidecar';
      },
      spares: (s) => {
        s.sidecar.image = 'localhost:5000/botwarden-sidecar@sha256:0123';
      },
    },
    {
      severity: 'error',
      service: 'bot',
      trips: all(production, (s) => {
        delete s.bot.build;
        s.bot.image = 'my-bot:latest';
      }),
      spares: all(production, (s) => {
        delete s.bot.build;
        s.bot.image = 'my-bot:1';
      }),
    },
  ],
  MISBEHAVIOUR_ALLOWED: [
    {
      severity: 'error',
      service: 'bot',
      trips: (s) => {
        env(s.bot).ALLOW_MISBEHAVIOUR = '1';
      },
      spares: (s) => {
        env(s.bot).ALLOW_MISBEHAVIOUR = '';
      },
    },
  ],
  // What must last
  RECEIPTS_NOT_KEPT: [
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.volumes = [{ type: 'volume', target: '/var/lib/botwarden' }];
      },
      spares: (s) => {
        env(s.sidecar).DRAIN_LOG = '/data/log/drains.jsonl';
        s.sidecar.volumes = [{ type: 'bind', source: '/srv/receipts', target: '/data/' }];
      },
    },
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        env(s.sidecar).DRAIN_LOG = '/var/lib/botwarden-2/drains.jsonl';
      },
      spares: () => {},
    },
    {
      severity: 'error',
      service: 'sidecar',
      trips: (s) => {
        s.sidecar.volumes = [
          { type: 'volume', source: 'receipts', target: '/var/lib/botwarden', read_only: true },
        ];
      },
      spares: () => {},
    },
  ],
  DATABASE_NOT_KEPT: [
    {
      severity: 'error',
      service: 'db',
      trips: (s) => {
        s.db.volumes = [{ type: 'volume', target: '/var/lib/postgresql/data' }];
      },
      spares: (s) => {
        s.db.image = 'postgres:18';
        s.db.volumes = [{ type: 'volume', source: 'db', target: '/var/lib/postgresql' }];
      },
    },
  ],
  LOGS_UNBOUNDED: [
    {
      severity: 'warning',
      service: 'db',
      trips: (s) => {
        delete s.db.logging;
      },
      spares: (s) => {
        s.db.logging = { driver: 'journald' };
      },
    },
  ],
  NO_MEMORY_LIMIT: [
    {
      severity: 'warning',
      service: 'bot',
      trips: (s) => {
        delete s.bot.mem_limit;
      },
      spares: (s) => {
        delete s.bot.mem_limit;
        s.bot.deploy = { resources: { limits: { memory: '1073741824' } } };
      },
    },
  ],
};
const ROWS = Object.entries(CASES).flatMap(([code, cases]) =>
  cases.map((one, number) => [`${code} (${number + 1})`, code, one] as const),
);

it('finds nothing in a stack in which nothing is wrong', () => {
  expect(after(() => {})).toEqual([]);
});

it('has a case for every rule, and one rule for a code', () => {
  const codes = RULES.map(({ code }) => code);
  // Those of pods alone: doctor-manifests.test.ts.
  const here = RULES.filter(({ platforms }) => platforms?.includes('compose') ?? true);
  expect(Object.keys(CASES).sort()).toEqual(here.map(({ code }) => code).sort());
  expect(new Set(codes).size).toBe(codes.length);
});

it.each(ROWS)('names %s, and nothing else', (_row, code, { severity, service, trips }) => {
  const findings = after(trips);
  expect(findings).toEqual([expect.objectContaining({ code, severity, service })]);
  const [finding] = findings;
  expect(finding?.happens).toMatch(/\.$/);
  expect(finding?.mend).toMatch(/\.$/);
});

it.each(ROWS)('is content with what is close to %s', (_row, _code, { spares }) => {
  expect(after(spares)).toEqual([]);
});

it('is content with keys that it does not know', () => {
  const change: Change = (s, model) => {
    s.bot['x-note'] = { any: 1 };
    Object.assign(model, { 'x-labels': {}, configs: { a: { content: 'b' } } });
  };
  expect(after(change)).toEqual([]);
});

describe('a shell before the gate', () => {
  const line: (text: string) => Change = (text) => (s) => {
    s.bot.entrypoint = ['sh', '-c', text];
    s.bot.command = null;
  };

  it('gets the signal in its place: that is no gate', () => {
    const findings = after(line('hold-until-flat python -m bot; echo $?'));
    expect(findings.map(({ code }) => code)).toEqual(['NO_GATE', 'SIGNAL_SWALLOWED']);
  });

  it('is harmless when it becomes the gate', () => {
    expect(after(line('exec hold-until-flat python -m bot'))).toEqual([]);
  });
});

describe('a deadlock', () => {
  it('is also one of a bot that waits for a sidecar whose health is the bot’s', () => {
    const findings = after((s) => {
      delete s.sidecar.depends_on;
      s.bot.depends_on = { db: {}, sidecar: { condition: 'service_healthy' } };
      s.sidecar.healthcheck = healthcheck('curl', '-fsS', '-m', '3', 'http://localhost:9400/readyz');
    });
    expect(findings.map(({ code, service }) => [code, service])).toEqual([
      ['DEPENDS_ON_DEADLOCK', 'bot'],
      ['DEPENDS_ON_WRONG_WAY', 'bot'],
      ['SIDECAR_HEALTH_IS_BOTS', 'sidecar'],
    ]);
  });
});

describe('tells which commands can leave positions open', () => {
  const ungated: Change = (s) => {
    s.bot.entrypoint = ['python', '-m', 'bot'];
    s.bot.command = null;
  };

  it('without a gate: all but the two that stop the sidecar first', () => {
    const [finding] = after(ungated);
    expect(finding?.leavesOpen).toEqual([
      'docker compose restart',
      'docker compose stop bot',
      'docker compose restart bot',
      'docker compose kill -s TERM bot',
      'docker compose up -d (after a change of bot)',
      'docker compose up -d --force-recreate',
      'docker stop shop-bot-1',
      'docker restart shop-bot-1',
      'stopping the engine, shutdown or reboot of the host',
    ]);
  });

  it('names the container as it is called', () => {
    const [finding] = after(
      all(ungated, (s) => {
        s.bot.container_name = 'trader';
      }),
    );
    expect(finding?.leavesOpen).toContain('docker stop trader');
  });

  it.each<[string, Change]>([
    [
      'without depends_on',
      (s) => {
        delete s.sidecar.depends_on;
      },
    ],
    [
      'with a sidecar that is killed too early',
      (s) => {
        s.sidecar.stop_grace_period = '20s';
        delete env(s.sidecar).STOP_GRACE_PERIOD;
      },
    ],
  ])('without a gate and %s: those two as well', (_what, change) => {
    const findings = after(all(ungated, change));
    expect(findings).toHaveLength(2);
    for (const { severity, leavesOpen } of findings) {
      expect(severity).toBe('error');
      expect(leavesOpen).toEqual(expect.arrayContaining(['docker compose stop', 'docker compose down']));
    }
  });

  it('the same where nothing is known of the gate: unknown is not safe', () => {
    const unknown = after((s) => {
      s.bot.entrypoint = null;
    });
    expect(unknown.map(({ code, leavesOpen }) => [code, leavesOpen])).toEqual([
      ['GATE_UNKNOWN', after(ungated)[0]?.leavesOpen],
    ]);
    expect(unknown[0]?.mend).toContain(
      "docker image inspect --format '{{json .Config.Entrypoint}} {{json .Config.Cmd}}' my-bot",
    );
  });
});

describe('who is who', () => {
  it('looks at every bot of a stack beside its own sidecar', () => {
    const findings = after((s) => {
      s.second = { ...s.bot, init: false, environment: { ...env(s.bot), SIDECAR_URL: 'http://other:9400' } };
      s.other = {
        ...s.sidecar,
        environment: { ...env(s.sidecar), BOT_URL: 'http://second:8000' },
        depends_on: { second: { condition: 'service_started' } },
      };
    });
    expect(findings.map(({ code, service }) => [code, service])).toEqual([['NO_INIT', 'second']]);
  });

  it('takes a person’s word for the bot where BOT_URL leads elsewhere', () => {
    const change: Change = (s) => {
      env(s.sidecar).BOT_URL = 'http://proxy.example:8000';
      delete s.bot.init;
    };
    expect(after(change).map(({ code }) => code)).toEqual(['BOT_NOT_IN_STACK', 'NO_INIT']);
    expect(after(change, { bot: 'bot' }).map(({ code }) => code)).toEqual(['NO_INIT']);
    expect(after(change, { bot: 'bot', sidecar: 'sidecar' }).map(({ code }) => code)).toEqual(['NO_INIT']);
  });

  it('takes no bot for a sidecar because its gate is told its own address', () => {
    for (const url of ['http://bot:8000', 'http://127.0.0.1:8000']) {
      const findings = after((s) => {
        env(s.bot).BOT_URL = url;
      });
      expect(findings).toEqual([]);
    }
  });

  it('judges a bot that has no sidecar all the same', () => {
    const findings = after((s) => {
      delete (s as Record<string, Json>).sidecar;
      delete s.bot.restart;
    });
    expect(findings.map(({ code, service }) => [code, service])).toEqual([
      ['NO_SIDECAR', 'bot'],
      ['NO_RESTART_POLICY', 'bot'],
    ]);
  });

  it('refuses a name that the stack does not have', () => {
    expect(() => after(() => {}, { bot: 'trader' })).toThrow(
      /--bot expects a service .*\(db, bot, sidecar\)/,
    );
  });
});

it('shows no secret, whatever it finds', () => {
  const findings = after((s) => {
    env(s.bot).API_KEY = 'hunter2';
    env(s.bot).DATABASE_URL = 'postgres://bot:hunter2@db/bot';
    env(s.bot).BOT_TOKEN = 'hunter2';
    env(s.sidecar).ALERT_WEBHOOK_URL = 'https://example.com/hunter2';
    s.bot.command = ['python', '--password=hunter2'];
    s.bot.build = { args: { TOKEN: 'hunter2' } };
    s.db.healthcheck = { test: ['CMD', 'pg_isready', 'postgres://bot:hunter2@db/bot'] };
  });
  expect(findings.length).toBeGreaterThan(6);
  expect(reportJson(findings) + report(findings)).not.toContain('hunter2');
});

it('puts errors before warnings, and tells how many there are', () => {
  const findings = after((s) => {
    delete s.bot.init;
    delete s.bot.restart;
  });
  expect(findings.map(({ severity }) => severity)).toEqual(['error', 'warning']);
  expect(report(findings)).toMatch(/1 error, 1 warning\./);
  expect(report([])).toMatch(/^Nothing is wrong\./);
  expect(JSON.parse(reportJson(findings))).toEqual({
    errors: 1,
    warnings: 1,
    findings: findings.map((finding) => ({ ...finding, leaves_open: [] })),
  });
});

describe('refuses', () => {
  it.each([
    ['nothing', ''],
    ['YAML', 'services:\n  bot: {}'],
    ['JSON without services', '{"name":"x"}'],
    ['JSON with no service in it', '{"services":{}}'],
    ['a list', '[]'],
    ['a service that is a text', '{"services":{"bot":"image"}}'],
    ['ports in their short form', '{"services":{"bot":{"ports":["80:80"]}}}'],
  ])('%s', (_what, input) => {
    expect(() => readComposeModel(input)).toThrow(ComposeModelError);
    expect(() => readComposeModel(input)).toThrow(/docker compose config --format json/);
  });

  it('text that is no JSON, without repeating it', async () => {
    const { code, stderr } = await run('POSTGRES_PASSWORD: hunter2');
    expect(code).toBe(2);
    expect(stderr).not.toContain('hunter2');
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

/** Runs the command itself on an input. */
async function run(input: string, ...args: string[]) {
  const said = { stdout: '', stderr: '' };
  const into = (name: keyof typeof said) =>
    new Writable({
      write(chunk, _encoding, done) {
        said[name] += chunk;
        done();
      },
    });
  const host: Host = {
    argv: ['doctor', ...args],
    env: {},
    stdin: Readable.from([input]),
    stdout: into('stdout'),
    stderr: into('stderr'),
    takeSignals: () => [],
    onSignal: () => {},
    raise: () => {},
    onUncaught: () => {},
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  };
  return { code: await doctor(args, host), ...said };
}

describe('the exit code', () => {
  const bad = good();
  delete bad.services.bot.restart;

  it.each([
    ['0 when nothing is wrong', 0, JSON.stringify(good()), []],
    ['1 when there is an error', 1, JSON.stringify(bad), []],
    ['1 as JSON too', 1, JSON.stringify(bad), ['--json']],
    ['0 for help', 0, '', ['--help']],
    ['2 for no input', 2, '', []],
    ['2 for an option that it does not have', 2, JSON.stringify(good()), ['--yaml']],
    ['2 for a word too many', 2, JSON.stringify(good()), ['compose.yaml']],
    ['2 for a service that is not there', 2, JSON.stringify(good()), ['--sidecar', 'nobody']],
  ])('is %s', async (_what, code, input, args) => {
    expect((await run(input, ...args)).code).toBe(code);
  });

  it('is 0 with warnings alone', async () => {
    const model = good();
    delete model.services.bot.init;
    const { code, stdout } = await run(JSON.stringify(model), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ errors: 0, warnings: 1, findings: [{ code: 'NO_INIT' }] });
  });

  it('comes with every rule in the help', async () => {
    const { stdout } = await run('', '--help');
    for (const { code } of RULES) expect(stdout).toContain(code);
  });
});
