import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { tool } from '../../../../vitest.tools.ts';
import { gatePath, type Shell, startGate, until } from './gate-process.ts';
import { reset, scriptedServer, silence } from './scripted-server.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'gate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SHELLS = ['dash', 'bash', 'busybox'] as const;

/** Each shell with a PATH on which `sh` is that shell; busybox has nothing but its own applets and curl. */
function findShells(): Shell[] {
  const curl = tool('curl');
  if (curl === undefined) return [];
  const list: Shell[] = [];
  for (const name of SHELLS) {
    const file = tool(name);
    if (file === undefined) continue;
    const bin = path.join(folder, name);
    mkdirSync(bin);
    symlinkSync(curl, path.join(bin, 'curl'));
    if (name === 'busybox') {
      for (const applet of execFileSync(file, ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean))
        symlinkSync(file, path.join(bin, applet));
      list.push({ name, argv: [file, 'sh'], path: bin });
    } else {
      symlinkSync(file, path.join(bin, 'sh'));
      list.push({ name, argv: [file], path: `${bin}:/usr/bin:/bin` });
    }
  }
  return list;
}

const shells = findShells();

const patient = "trap 'echo TERM; exit 0' TERM; echo up; while :; do sleep 0.05; done";
const deaf = "trap '' TERM; echo up; while :; do sleep 0.05; done";
const flat = { status: 200, body: '{"open_positions":[],"pending_orders":[]}' };
const open = { status: 200, body: '{"open_positions":[{"symbol":"BTC"}],"pending_orders":[]}' };
const closed = { status: 200, body: '{"open_positions":0,"pending_orders":0}' };
const refused = 'http://127.0.0.1:9';

test('every shell that the gate promises to run under is here', (context) => {
  const names = shells.map(({ name }) => name);
  context.skip(names.length < SHELLS.length, `only found: ${names.join(', ')}`);
  expect(names).toEqual(SHELLS);
});

describe.concurrent.for(shells)('under $name', (shell) => {
  const run = (bot: string | readonly string[], env: Record<string, string> = {}, events: string[] = []) =>
    startGate(shell, bot, env, events);

  describe('without a stop', () => {
    test.for([
      ['exit 0', 0],
      ['exit 7', 7],
      ['kill -KILL $$', 137],
      ['kill -SEGV $$', 139],
    ] as const)('the status of `%s` is passed on as %i', async ([bot, status]) => {
      using gate = run(bot);
      expect(await gate.exit, gate.log()).toBe(status);
      expect(gate.processes()).toEqual([]);
    });

    test('a command that does not exist is 127', async () => {
      using gate = run(['no-such-bot']);
      expect(await gate.exit, gate.log()).toBe(127);
    });

    test('the arguments reach the bot as they are', async () => {
      using gate = run(['sh', '-c', 'echo "[$1][$2]"', 'bot', 'a  b', '*']);
      await gate.exit;
      await gate.until('bot: [a  b][*]');
    });

    test('SIGUSR1 and SIGUSR2 go straight through', async () => {
      using gate = run(
        "trap 'echo USR1' USR1; trap 'echo USR2; exit 5' USR2; echo up; while :; do sleep 0.05; done",
      );
      await gate.until('bot: up');
      gate.kill('SIGUSR1');
      await gate.until('bot: USR1');
      gate.kill('SIGUSR2');
      expect(await gate.exit, gate.log()).toBe(5);
    });
  });

  describe('refuses to start the bot', () => {
    const token = path.join(folder, `${shell.name}-token`);
    writeFileSync(token, 'from-a-file\n');
    const empty = path.join(folder, `${shell.name}-empty`);
    writeFileSync(empty, '');
    test.for<[string, Record<string, string>, RegExp]>([
      ['a duration without a unit', { GATE_TIMEOUT: '70' }, /GATE_TIMEOUT must be a duration .* is '70'/],
      ['a duration of zero', { KILL_AFTER: '0s' }, /KILL_AFTER must be a duration .* is '0s'/],
      ['a negative duration', { KILL_AFTER: '-5s' }, /KILL_AFTER must be/],
      ['an absurd duration', { GATE_TIMEOUT: '99999999999s' }, /GATE_TIMEOUT must be/],
      [
        'a token given twice',
        { BOT_TOKEN: 'a', BOT_TOKEN_FILE: token },
        /BOT_TOKEN and BOT_TOKEN_FILE are both set/,
      ],
      [
        'a token file that is not there',
        { DRAIN_TOKEN_FILE: '/nowhere' },
        /DRAIN_TOKEN_FILE names '\/nowhere'/,
      ],
      ['an empty token file', { DRAIN_TOKEN_FILE: empty }, /which is empty/],
      ['no curl', { PATH: '/nowhere' }, /curl is not in this image/],
    ])('%s', async ([, env, sentence]) => {
      using gate = run('echo started', env);
      expect(await gate.exit, gate.log()).toBe(2);
      expect(gate.log()).toMatch(sentence);
      expect(gate.events).toEqual([]);
    });

    test('no command', async () => {
      using gate = run([]);
      expect(await gate.exit, gate.log()).toBe(2);
      expect(gate.log()).toMatch(/Usage: hold-until-flat COMMAND/);
    });
  });

  describe('holds a stop back', () => {
    test.for(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)(
      '%s until the sidecar says flat',
      async (signal, { expect }) => {
        const events: string[] = [];
        await using server = await scriptedServer({
          'GET /livez': 200,
          'POST /drain': async (response) => {
            events.push('drain asked');
            await sleep(300);
            events.push('drain answered');
            response.writeHead(200).end('{"state":"flat"}');
          },
        });
        using gate = run(patient, { SIDECAR_URL: server.url, DRAIN_TOKEN: 'drain-secret' }, events);
        await gate.until('bot: up');
        gate.kill(signal);
        expect(await gate.exit, gate.log()).toBe(0);
        expect(events).toEqual(['bot: up', 'drain asked', 'drain answered', 'bot: TERM']);
        expect(server.calls('POST /drain')[0]?.headers.authorization).toBe('Bearer drain-secret');
        expect(server.calls('POST /close-positions')).toEqual([]);
        expect(gate.processes()).toEqual([]);
      },
    );

    test('and the bot keeps its exit status', async ({ expect }) => {
      await using server = await scriptedServer({ 'POST /drain': 200 });
      using gate = run("trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done", {
        SIDECAR_URL: server.url,
      });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(9);
    });

    test('a bot that dies of SIGTERM is 143', async ({ expect }) => {
      await using server = await scriptedServer({ 'POST /drain': 200 });
      using gate = run('echo up; exec sleep 60', { SIDECAR_URL: server.url });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(143);
    });

    test('more signals change nothing and ask for no second drain', async ({ expect }) => {
      let answer = () => {};
      await using server = await scriptedServer({
        'POST /drain': (response) => {
          answer = () => response.writeHead(200).end();
        },
      });
      using gate = run(patient, { SIDECAR_URL: server.url });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      await until('the drain was asked for', () => server.calls('POST /drain').length === 1);
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGTERM'] as const) {
        const told = gate.log().split('already stopping').length;
        gate.kill(signal);
        await until('the signal was seen', () => gate.log().split('already stopping').length > told);
      }
      expect(gate.events).toEqual(['bot: up']);
      answer();
      expect(await gate.exit, gate.log()).toBe(0);
      expect(server.calls('POST /drain').length).toBe(1);
      expect(gate.events).toEqual(['bot: up', 'bot: TERM']);
    });

    test('also when the signal comes while the gate starts', async ({ expect }) => {
      for (const delay of [0, 1, 2, 3, 4, 5, 6, 8, 10, 15]) {
        const events: string[] = [];
        await using server = await scriptedServer({ 'POST /drain': 200 }, ({ call }) => events.push(call));
        // A bot that was started, even one that has not run a line yet, is drained before it is ended.
        using gate = run('echo up; exec sleep 60', { SIDECAR_URL: server.url }, events);
        await sleep(delay);
        gate.kill('SIGTERM');
        const status = await gate.exit;
        expect(['SIGTERM', 143], gate.log()).toContain(status);
        expect(events.includes('POST /drain') || !events.includes('bot: up')).toBe(true);
        expect(gate.processes()).toEqual([]);
      }
    });

    test('a sidecar that says "not flat" is believed, aloud', async ({ expect }) => {
      await using server = await scriptedServer({ 'POST /drain': 503 });
      using gate = run(patient, { SIDECAR_URL: server.url, BOT_URL: server.url });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      expect(gate.log()).toMatch(/NOT FLAT: the sidecar could not close everything/);
      expect(gate.events).toContain('bot: TERM');
      expect(server.calls('POST /close-positions')).toEqual([]);
    });

    test('a bot that dies meanwhile ends it at once, and no call is left behind', async ({ expect }) => {
      await using server = await scriptedServer({ 'POST /drain': silence });
      using gate = run("trap 'exit 4' USR1; trap 'echo TERM' TERM; echo up; while :; do sleep 0.05; done", {
        SIDECAR_URL: server.url,
        GATE_TIMEOUT: '60s',
      });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      await until('the drain was asked for', () => server.calls('POST /drain').length === 1);
      gate.kill('SIGUSR1');
      expect(await gate.exit, gate.log()).toBe(4);
      expect(gate.events).toEqual(['bot: up']);
      expect(gate.processes()).toEqual([]);
    });

    test('at most for GATE_TIMEOUT, then SIGTERM, then KILL_AFTER, then SIGKILL', async ({ expect }) => {
      await using server = await scriptedServer({
        'POST /drain': silence,
        'POST /close-positions': silence,
        'GET /positions': silence,
      });
      using gate = run("trap 'echo TERM' TERM; echo up; while :; do sleep 0.05; done", {
        SIDECAR_URL: server.url,
        BOT_URL: server.url,
        GATE_TIMEOUT: '4s',
        KILL_AFTER: '500ms',
      });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(137);
      expect(gate.log()).toMatch(/NOT FLAT: not proven within 4s/);
      expect(gate.log()).toMatch(/it gets SIGKILL/);
      expect(gate.events).toEqual(['bot: up', 'bot: TERM']);
      expect(server.calls('POST /close-positions').length).toBe(1);
      expect(gate.processes()).toEqual([]);
    });
  });

  describe('without a sidecar that drains', () => {
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

    test.for<[string, Parameters<typeof scriptedServer>[0] | undefined]>([
      ['unreachable', undefined],
      ['refusing (403)', { 'POST /drain': 403 }],
      ['refusing the token (401)', { 'POST /drain': 401 }],
      ['without that path (404)', { 'POST /drain': 404 }],
      ['broken (500)', { 'POST /drain': 500 }],
      ['answering 202', { 'POST /drain': 202 }],
      ['redirecting (302)', { 'POST /drain': 302 }],
      ['resetting the connection', { 'POST /drain': reset }],
      ['never answering', { 'POST /drain': silence }],
    ])('%s: the bot is asked to close, and read until it was flat twice', async ([, script], { expect }) => {
      const events: string[] = [];
      await using server = await scriptedServer(
        { 'POST /close-positions': closed, 'GET /positions': [open, flat, open, flat, flat], ...script },
        ({ call }) => {
          if (call !== 'GET /livez') events.push(call);
        },
      );
      using gate = run(
        patient,
        {
          SIDECAR_URL: script === undefined ? refused : server.url,
          BOT_URL: server.url,
          BOT_TOKEN: 'bot-secret',
          GATE_TIMEOUT: '12s',
        },
        events,
      );
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      const own = events.filter((event) => event !== 'POST /drain');
      expect(own).toEqual([
        'bot: up',
        'POST /close-positions',
        'GET /positions',
        'POST /close-positions',
        'GET /positions',
        'GET /positions',
        'POST /close-positions',
        'GET /positions',
        'GET /positions',
        'bot: TERM',
      ]);
      expect(gate.log()).toMatch(/: flat\. The bot gets SIGTERM/);
      const closes = server.calls('POST /close-positions');
      const keys = new Set(closes.map(({ headers }) => headers['idempotency-key']));
      expect(keys.size).toBe(1);
      expect([...keys][0]).toMatch(uuid);
      for (const { headers, body } of closes) {
        expect(headers.authorization).toBe('Bearer bot-secret');
        expect(headers['content-type']).toBe('application/json');
        const sent = JSON.parse(body);
        expect(sent.drain_id).toBe(headers['idempotency-key']);
        expect(sent.reason).toBeTypeOf('string');
        const left = Date.parse(sent.deadline) - Date.now();
        expect(left).toBeLessThan(13_000);
        expect(sent.deadline).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      }
      for (const { headers } of server.calls('GET /positions'))
        expect(headers.authorization).toBe('Bearer bot-secret');
      expect(gate.processes()).toEqual([]);
    });

    test('an empty SIDECAR_URL: the bot is asked at once, on its own paths', async ({ expect }) => {
      await using server = await scriptedServer({ 'POST /flatten': 202, 'GET /book': closed });
      using gate = run(patient, {
        SIDECAR_URL: '',
        BOT_URL: `${server.url}/`,
        BOT_CLOSE_PATH: '/flatten',
        BOT_POSITIONS_PATH: '/book',
      });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      expect(server.seen.map(({ call }) => call)).toEqual(['POST /flatten', 'GET /book', 'GET /book']);
      expect(server.seen[0]?.headers.authorization).toBeUndefined();
    });

    test('a bot that comes up late is still closed', async ({ expect }) => {
      await using server = await scriptedServer({
        'POST /close-positions': [reset, 503, closed],
        'GET /positions': [reset, 503, flat],
      });
      using gate = run(patient, { SIDECAR_URL: refused, BOT_URL: server.url });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      expect(gate.log()).toMatch(/: flat\./);
      expect(server.calls('POST /close-positions').length).toBe(3);
    });

    test('a close that is said to be done and is not is never flat', async ({ expect }) => {
      await using server = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': open });
      using gate = run(patient, { SIDECAR_URL: refused, BOT_URL: server.url, GATE_TIMEOUT: '3s' });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      expect(gate.log()).toMatch(/NOT FLAT: not proven within 3s/);
      expect(gate.events).toContain('bot: TERM');
    });
  });

  describe('secrets', () => {
    test('come from files, with or without a line end, and are in no list of processes', async ({
      expect,
    }) => {
      const bot = path.join(folder, `${shell.name}-bot-token`);
      writeFileSync(bot, 'bot "quoted\\secret');
      const drain = path.join(folder, `${shell.name}-drain-token`);
      writeFileSync(drain, 'drain-secret\n');
      let refuse = () => {};
      await using server = await scriptedServer({
        'POST /drain': (response) => {
          refuse = () => response.writeHead(403).end();
        },
        'POST /close-positions': closed,
        'GET /positions': flat,
      });
      using gate = run(patient, {
        SIDECAR_URL: server.url,
        BOT_URL: server.url,
        BOT_TOKEN_FILE: bot,
        DRAIN_TOKEN_FILE: drain,
      });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      await until('the drain was asked for', () => server.calls('POST /drain').length === 1);
      const commands = gate.processes().map(({ command }) => command);
      if (process.platform === 'linux') expect(commands.some((line) => line.includes('/drain'))).toBe(true);
      expect(commands.join('\n')).not.toMatch(/secret/);
      refuse();
      expect(await gate.exit, gate.log()).toBe(0);
      expect(server.calls('POST /drain')[0]?.headers.authorization).toBe('Bearer drain-secret');
      expect(server.calls('POST /close-positions')[0]?.headers.authorization).toBe(
        'Bearer bot "quoted\\secret',
      );
      expect(gate.log()).not.toMatch(/secret/);
    });

    test('and calls never go through a proxy that the bot uses for its exchange', async ({ expect }) => {
      await using server = await scriptedServer({ 'POST /drain': 200 });
      using gate = run(patient, { SIDECAR_URL: server.url, http_proxy: refused, ALL_PROXY: refused });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      expect(gate.log()).toMatch(/: flat\./);
    });
  });

  describe('when the sidecar asks for a restart', () => {
    const asked = (url: string) => ({ SIDECAR_URL: url, KILL_AFTER: '1s' });

    test.for([
      ['leaves with 0', patient, 75],
      ['leaves with 3', "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done", 3],
      ['ignores SIGTERM', deaf, 137],
    ] as const)('a bot that %s makes the gate exit non-zero', async ([, bot, status], { expect }) => {
      await using server = await scriptedServer({ 'GET /livez': [200, 503] });
      using gate = run(bot, asked(server.url));
      await gate.until('bot: up');
      expect(await gate.exit, gate.log()).toBe(status);
      expect(gate.log()).toMatch(/asks for a restart of the bot \(503/);
      expect(server.calls('POST /drain')).toEqual([]);
      expect(gate.processes()).toEqual([]);
    });

    test.for<[string, Parameters<typeof scriptedServer>[0]]>([
      ['200', { 'GET /livez': 200 }],
      ['500', { 'GET /livez': 500 }],
      ['404', {}],
      ['429', { 'GET /livez': 429 }],
      ['502', { 'GET /livez': 502 }],
      ['504', { 'GET /livez': 504 }],
      [
        'a redirect',
        { 'GET /livez': (response) => response.writeHead(302, { location: '/elsewhere' }).end() },
      ],
      ['a body that says 503', { 'GET /livez': { status: 200, body: '503\n503' } }],
      ['no HTTP', { 'GET /livez': (response) => response.socket?.end('503 503\r\n\r\n') }],
      ['a reset', { 'GET /livez': reset }],
      ['nothing', { 'GET /livez': silence }],
    ])('%s is no reason', async ([, script], { expect }) => {
      await using server = await scriptedServer({ ...script, 'GET /elsewhere': 503, 'POST /drain': 200 });
      using gate = run(patient, asked(server.url));
      await until('three polls were served', () => server.calls('GET /livez').length >= 3);
      expect(gate.running()).toBe(true);
      expect(gate.events).toEqual(['bot: up']);
      gate.kill('SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      expect(gate.processes()).toEqual([]);
    });

    test.for([refused, 'http://no-such-host.invalid:9400', 'not a url'])(
      'neither is %s',
      async (url, { expect }) => {
        using gate = run(patient, asked(url));
        await until('it was told', () => gate.log().includes('The bot is left alone'));
        expect(gate.running()).toBe(true);
        expect(gate.events).toEqual(['bot: up']);
      },
    );

    test('not while a stop is held back', async ({ expect }) => {
      let answer = () => {};
      await using server = await scriptedServer({
        'GET /livez': 200,
        'POST /drain': (response) => {
          answer = () => response.writeHead(200).end();
        },
      });
      using gate = run(patient, { SIDECAR_URL: server.url, GATE_TIMEOUT: '60s' });
      await gate.until('bot: up');
      gate.kill('SIGTERM');
      await until('the drain was asked for', () => server.calls('POST /drain').length === 1);
      server.set('GET /livez', 503);
      const polls = server.calls('GET /livez').length;
      await sleep(5000); // longer than two polls are apart
      expect(server.calls('GET /livez').length).toBe(polls);
      expect(gate.events).toEqual(['bot: up']);
      answer();
      expect(await gate.exit, gate.log()).toBe(0);
    });
  });

  describe('reads positions strictly', () => {
    const source = readFileSync(gatePath, 'utf8');
    const start = source.indexOf('judge_flat() {');
    const judge = source.slice(start, source.indexOf('\n}\n', start) + 3);
    const flatIs = (body: string, status = '200') => {
      const [program = '', ...before] = shell.argv;
      const { status: result, stderr } = spawnSync(
        program,
        [...before, '-c', `set -u\n${judge}\njudge_flat "$1" "$2"`, 'judge', status, body],
        { env: { PATH: shell.path }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
      );
      expect(stderr).toBe('');
      return result === 0;
    };

    test.for([
      '{"open_positions":[],"pending_orders":[]}',
      '{"open_positions":0,"pending_orders":0}',
      '{"pending_orders":[],"open_positions":0}',
      ' { "open_positions" : [ ] ,\n\t"pending_orders" : [\r\n] } \n',
      '{"instance":"a","open_positions":[],"pending_orders":[],"cash":1.5,"paused":null}',
      '{"account":{"limits":[1,2,{"x":[]}]},"open_positions":[],"pending_orders":[]}',
      '{"summary":{"open_positions":4},"open_positions":0,"pending_orders":0}',
      '{"note":"a \\"quoted\\" {[ brace \\\\","open_positions":0,"pending_orders":0}',
      '{"note":"* ? [a-z]","open_positions":0,"pending_orders":0}',
    ])('flat: %s', (body) => expect(flatIs(body)).toBe(true));

    test.for([
      '',
      ' ',
      '0',
      'null',
      '[]',
      '{}',
      'flat',
      '<html>0</html>',
      '{"open_positions":[]}',
      '{"open_positions":0}',
      '{"pending_orders":0}',
      '{"open_positions":1,"pending_orders":0}',
      '{"open_positions":0,"pending_orders":1}',
      '{"open_positions":[{}],"pending_orders":[]}',
      '{"open_positions":[],"pending_orders":[{}]}',
      '{"open_positions":[],"pending_orders":[""]}',
      '{"open_positions":[0],"pending_orders":[]}',
      '{"open_positions":null,"pending_orders":0}',
      '{"open_positions":false,"pending_orders":0}',
      '{"open_positions":"0","pending_orders":0}',
      '{"open_positions":"","pending_orders":0}',
      '{"open_positions":{},"pending_orders":{}}',
      '{"open_positions":-0,"pending_orders":0}',
      '{"open_positions":0.5,"pending_orders":0}',
      '{"open_positions":00,"pending_orders":0}',
      '{"open_positions":0e9,"pending_orders":0}',
      '{"open_positions":0,"pending_orders":0',
      '{"open_positions":[],"pending_orders":[',
      '{"open_positions":0,"pending_orders":0}}',
      '{"open_positions":0,"pending_orders":0}{',
      '{"open_positions":0,"pending_orders":0}x',
      '{"open_positions":0,"pending_orders":0}"x"',
      'x{"open_positions":0,"pending_orders":0}',
      '"open_positions":0,"pending_orders":0',
      '[{"open_positions":0,"pending_orders":0}]',
      '{"data":{"open_positions":0,"pending_orders":0}}',
      '{"data":{"open_positions":0},"pending_orders":0}',
      '{"before":{"open_positions":0,"pending_orders":0},"open_positions":2,"pending_orders":0}',
      '{"open_positions":0,"open_positions":2,"pending_orders":0}',
      '{"open_positions":2,"open_positions":0,"pending_orders":0}',
      '{"open_positions":0,"pending_orders":0,"pending_orders":1}',
      '{"note":"\\"open_positions\\":0,\\"pending_orders\\":0","open_positions":3,"pending_orders":0}',
      '{"a":"\\","open_positions":0,"pending_orders":0}',
      "{'open_positions':0,'pending_orders':0}",
      '{"open_positions"\\:0,"pending_orders":0}',
      '{"open positions":0,"pending orders":0}',
    ])('not flat: %s', (body) => expect(flatIs(body)).toBe(false));

    test.for(['201', '202', '204', '404', '500', '503', '000', ''])('not flat with status %s', (status) =>
      expect(flatIs('{"open_positions":0,"pending_orders":0}', status)).toBe(false),
    );
  });
});
