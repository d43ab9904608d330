import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { docker, dockerOk, engineMissing, top } from './engine.ts';

interface Said {
  status: number | null;
  findings: { code: string; severity: string; service: string | null; leaves_open: string[] }[];
}

/** What the doctor of this checkout says of a Compose model. */
function doctor(model: string): Said {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['packages/sidecar/src/main.ts', 'doctor', '--json'],
    { cwd: top, input: model, encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  return { status, findings: JSON.parse(stdout).findings };
}

const codes = ({ findings }: Said) => findings.map(({ code, service }) => `${service ?? 'stack'} ${code}`);

const plain = ['--file', 'compose.yaml'];
const production = [...plain, '--file', 'docker/compose.production.yaml'];
const required = {
  BOT_IMAGE: 'my-bot:1.4.2',
  SIDECAR_IMAGE: 'botwarden-sidecar:0.1.0',
  DASHBOARD_IMAGE: 'botwarden-dashboard:0.1.0',
  EXPECTED_MODELS: 'signal',
  FLAT_CHECK_SQL: '',
  SECRETS_DIR: '/etc/my-bot/secrets',
};

/** `docker compose config`, of no other settings than these. */
const config = (files: readonly string[], env: Record<string, string>, input?: string) =>
  docker(['compose', '--env-file', '/dev/null', ...files, 'config', '--format', 'json'], {
    env,
    ...(input === undefined ? {} : { input }),
  });

/** The model of these files, with a file of a user's own on top. */
async function model(
  files: readonly string[],
  env: Record<string, string> = {},
  own?: string,
): Promise<string> {
  const { status, stdout, stderr } = await config([...files, ...(own ? ['--file', '-'] : [])], env, own);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

describe.skipIf(engineMissing)(`the doctor${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  test('passes compose.yaml, and says what is for trying out in it', async () => {
    const said = doctor(await model(plain));
    expect(said.status).toBe(0);
    expect(codes(said)).toEqual(['sidecar NO_ALERTS', 'stack DEVELOPMENT_SECRETS']);
  });

  test('finds nothing at all with the production file on top', async () => {
    expect(doctor(await model(production, required))).toEqual({ status: 0, findings: [] });
  });

  test('finds nothing in the profile `metrics` either', async () => {
    expect(doctor(await model(['--profile', 'metrics', ...production], required))).toEqual({
      status: 0,
      findings: [],
    });
  });

  test.for(['./docker/secrets/development', 'docker/secrets/development/'])(
    'refuses the known secrets of %s in production',
    async (folder) => {
      const said = doctor(await model(production, { ...required, SECRETS_DIR: folder }));
      expect(said.status).toBe(1);
      expect(codes(said)).toEqual(['stack DEVELOPMENT_SECRETS']);
    },
  );

  test('refuses an image without a version in production', async () => {
    const said = doctor(await model(production, { ...required, BOT_IMAGE: 'my-bot' }));
    expect(said.status).toBe(1);
    expect(codes(said)).toEqual(['bot IMAGE_MOVES']);
  });

  // Each as a user would write it into an override, read back as Compose understands it.
  test.for([
    ['restart: "no"', 'bot NO_RESTART_POLICY'],
    ['restart: on-failure:3', 'bot RESTART_POLICY_GIVES_UP'],
    ['stop_grace_period: 74s', 'bot BOT_GRACE_TOO_SHORT'],
    ['entrypoint: !reset null', 'bot GATE_UNKNOWN'],
    ['entrypoint: [python, -m, bot]', 'bot NO_GATE'],
    ['ports: ["8000:8000"]', 'bot PORT_PUBLISHED'],
    ['ports: ["8000"]', 'bot PORT_PUBLISHED'],
    ['volumes: ["/var/run/docker.sock:/var/run/docker.sock"]', 'bot ENGINE_SOCKET'],
    ['environment: { API_KEY: hunter2 }', 'bot SECRET_IN_ENVIRONMENT'],
    ['environment: ["API_KEY=hunter2"]', 'bot SECRET_IN_ENVIRONMENT'],
    ['pid: host', 'bot HOST_NAMESPACE'],
    ['healthcheck: { disable: true, test: !reset null }', 'bot NO_HEALTHCHECK'],
    ['healthcheck: { test: curl http://sidecar:9400/readyz --max-time 3 }', 'bot HEALTHCHECK_ALWAYS_PASSES'],
    ['deploy: { replicas: 2 }', 'bot BOT_SCALED'],
    ['stop_signal: SIGKILL', 'bot STOP_SIGNAL'],
    ['pre_stop: [{ command: [close] }]', 'bot PRE_STOP_HOOK'],
    ['logging: { driver: json-file, options: !reset {} }', 'bot LOGS_UNBOUNDED'],
  ])('names what %s does to the bot', async ([line = '', expected = '']) => {
    const own = `services:\n  bot:\n    ${line}\n`;
    const said = doctor(await model(production, required, own));
    expect(codes(said)).toEqual([expected]);
    expect(JSON.stringify(said)).not.toContain('hunter2');
  });

  test.for([
    ['depends_on: { bot: { condition: service_started, restart: true } }', 'sidecar DEPENDS_ON_RESTART'],
    ['depends_on: { bot: { condition: service_healthy } }', 'sidecar DEPENDS_ON_DEADLOCK'],
    ['stop_grace_period: 30s', 'sidecar SIDECAR_GRACE_TOO_SHORT'],
    ['volumes: !override []', 'sidecar RECEIPTS_NOT_KEPT'],
    ['pid: "service:bot"', 'sidecar SHARED_NAMESPACE'],
    ['networks: !override [elsewhere]', 'sidecar NO_SHARED_NETWORK'],
  ])('names what %s does to the sidecar', async ([line = '', expected = '']) => {
    const own = `services:\n  sidecar:\n    ${line}\nnetworks:\n  elsewhere:\n`;
    expect(codes(doctor(await model(production, required, own)))).toContain(expected);
  });

  test('sees that `network_mode: service:bot` also ties the sidecar to each restart of the bot', async () => {
    const own =
      'services:\n  sidecar:\n    network_mode: "service:bot"\n    networks: !reset null\n    depends_on: !reset null\n';
    const said = doctor(await model(production, required, own));
    expect(codes(said)).toEqual(
      expect.arrayContaining(['sidecar SHARED_NAMESPACE', 'sidecar DEPENDS_ON_RESTART']),
    );
  });

  test('names the commands that leave positions open by the names of this very project', async () => {
    const own = 'services:\n  bot:\n    entrypoint: [python, -m, bot]\n';
    const { findings } = doctor(await model(production, required, own));
    expect(findings[0]?.leaves_open).toEqual(
      expect.arrayContaining(['docker compose restart bot', 'docker stop botwarden-bot-1']),
    );
    expect(findings[0]?.leaves_open).not.toContain('docker compose stop');
  });

  test('says what it expected when Compose gave nothing', async () => {
    const { status, stdout } = await config(production, {});
    expect(status).not.toBe(0);
    const { status: code, stderr } = spawnSync(process.execPath, ['packages/sidecar/src/main.ts', 'doctor'], {
      cwd: top,
      input: stdout,
      encoding: 'utf8',
    });
    expect(code).toBe(2);
    expect(stderr).toContain('docker compose config --format json');
  });

  test('is in the image of the sidecar, and needs nothing but its input', async () => {
    const input = await model(plain);
    await dockerOk(['compose', ...plain, 'build', 'sidecar'], { limit: 500_000 });
    const args = ['compose', '--project-name', `botwarden-doctor-${process.pid}`, ...plain];
    try {
      const run = [...args, 'run', '--rm', '--no-deps', '-T', 'sidecar', 'doctor'];
      const { status, stdout } = await docker(run, { input });
      expect(stdout).toContain('0 errors, 2 warnings.');
      expect(status).toBe(0);
      const { status: refused } = await docker(run, { input: 'services: {}' });
      expect(refused).toBe(2);
    } finally {
      await dockerOk([...args, 'down', '--volumes']);
    }
  });
});

describe.skipIf(engineMissing)(`production${engineMissing ? ` (${engineMissing})` : ''}`, () => {
  test.for(Object.keys(required))('names %s when it is missing', async (name) => {
    const { [name as keyof typeof required]: _, ...rest } = required;
    const { status, stderr } = await config(production, rest);
    expect(status).not.toBe(0);
    expect(stderr).toContain(`${name} is not set. `);
  });

  // Compose complains about whichever it comes to first, and that changes from run to run.
  test('says why wherever it requires one', () => {
    const text = readFileSync(`${top}docker/compose.production.yaml`, 'utf8');
    const places = [...text.matchAll(/\$\{(\w+):?\?([^}]*)\}/g)];
    expect([...new Set(places.map(([, name]) => name))].sort()).toEqual(Object.keys(required).sort());
    for (const [, name, why] of places) expect(why).toMatch(new RegExp(`^${name} is not set\\. \\w`));
  });

  test('cannot be told to misbehave, builds nothing and has no secret that everyone knows', async () => {
    const env = { ...required, ALLOW_MISBEHAVIOUR: '1', MISBEHAVE: 'crash', BOT_CONTEXT: '/elsewhere' };
    const { services, secrets } = JSON.parse(await model(production, env));
    expect(Object.keys(services.bot.environment)).not.toContain('ALLOW_MISBEHAVIOUR');
    expect(Object.keys(services.bot.environment)).not.toContain('MISBEHAVE');
    for (const service of Object.values<{ build?: unknown }>(services)) expect(service.build).toBeUndefined();
    const files = Object.values<{ file: string }>(secrets).map(({ file }) => file);
    expect(files).toHaveLength(5);
    for (const file of files) expect(file).toMatch(/^\/etc\/my-bot\/secrets\/\w+$/);
  });
});
