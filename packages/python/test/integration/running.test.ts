import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { changed, gatePath, patient, python, startGate, until } from './gate-process.ts';
import { frozenServer } from './scripted-server.ts';
import { scriptedSidecar } from './scripted-sidecar.ts';

const run = promisify(execFile);
const folder = mkdtempSync(path.join(tmpdir(), 'gate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe.concurrent('the gate runs a bot and', () => {
  test.for([
    ['exit 0', 0],
    ['exit 7', 7],
    ['kill -KILL $$', 137],
    ['kill -SEGV $$', 139],
  ] as const)('passes the status of `%s` on as %i', async ([bot, status], { expect }) => {
    using gate = startGate(bot);
    expect(await gate.exit, gate.log()).toBe(status);
    expect(gate.processes()).toEqual([]);
  });

  test('ends with 127 when the command does not exist, and with 126 when it may not be run', async ({
    expect,
  }) => {
    using missing = startGate(['no-such-bot']);
    expect(await missing.exit, missing.log()).toBe(127);
    expect(missing.log()).toContain('no-such-bot cannot be run');
    using forbidden = startGate([import.meta.filename]);
    expect(await forbidden.exit, forbidden.log()).toBe(126);
  });

  test('hands its arguments and its environment to it as they are', async ({ expect }) => {
    using gate = startGate(['sh', '-c', 'echo "[$1][$2][$OWN]"', 'bot', 'a  b', '*'], { OWN: 'ü x' });
    await gate.exit;
    expect(gate.events).toEqual(['bot: [a  b][*][ü x]']);
  });

  test('gives every start an id of its own, a UUID', async ({ expect }) => {
    const events: string[] = [];
    for (let start = 0; start < 2; start += 1) {
      using gate = startGate('echo $BOTWARDEN_BOOT,$BOTWARDEN_HOLD', {}, { events });
      await gate.exit;
    }
    const boots = events.map((event) => /^bot: (.*),$/.exec(event)?.[1] ?? event);
    for (const boot of boots) expect(boot).toMatch(uuid);
    expect(new Set(boots).size).toBe(2);
  });

  test('puts it into a session of its own, out of the reach of Ctrl-C', async ({ expect }) => {
    using gate = startGate(patient);
    await gate.until('bot: up');
    const [own, bot] = [
      gate.processes().find(({ pid }) => pid === gate.pid),
      gate.processes().find(({ pid }) => pid !== gate.pid),
    ];
    expect(bot?.session).toBe(bot?.pid);
    expect(own?.session).not.toBe(bot?.session);
  });

  test('passes SIGUSR1, SIGUSR2, SIGWINCH and SIGALRM on to it', async ({ expect }) => {
    using gate = startGate(
      'for s in USR1 USR2 WINCH; do trap "echo $s" $s; done; trap \'echo ALRM; exit 5\' ALRM; echo up; while :; do sleep 0.05; done',
    );
    await gate.until('bot: up');
    for (const name of ['USR1', 'USR2', 'WINCH'] as const) {
      gate.kill(`SIG${name}`);
      await gate.until(`bot: ${name}`);
    }
    gate.kill('SIGALRM');
    expect(await gate.exit, gate.log()).toBe(5);
  });

  test('leaves it every signal as it was: what is ignored is ignored, what is not is not', async ({
    expect,
  }) => {
    const show =
      'import signal; print(*sorted(int(n) for n in signal.valid_signals() if signal.getsignal(n) is signal.SIG_IGN))';
    const ignored = async (gate: readonly string[]) => {
      using started = startGate([python, '-c', show], {}, { gate });
      await started.exit;
      return started.events;
    };
    // Python itself ignores 13 (PIPE) and 25 (XFSZ).
    expect(await ignored([python, '-IS', gatePath])).toEqual(['bot: 13 25']);
    expect(await ignored(['sh', '-c', `trap '' HUP; exec "$@"`, 'sh', python, '-IS', gatePath])).toEqual([
      'bot: 1 13 25',
    ]);
    const mask = 'import signal; print(*signal.pthread_sigmask(signal.SIG_BLOCK, ()))';
    using started = startGate([python, '-c', mask]);
    await started.exit;
    expect(started.events).toEqual([]);
  });

  test('a hang-up that was ignored before, by nohup, is no stop', async ({ expect }) => {
    using gate = startGate(
      "trap 'echo HUP' HUP; trap 'exit 6' USR1; echo up; while :; do sleep 0.05; done",
      {},
      {
        gate: ['sh', '-c', `trap '' HUP; exec "$@"`, 'sh', python, '-IS', gatePath],
      },
    );
    await gate.until('bot: up');
    gate.kill('SIGHUP');
    gate.kill('SIGUSR1');
    expect(await gate.exit, gate.log()).toBe(6);
    expect(gate.log()).not.toContain('stop asked for');
  });

  test('is not stopped by Ctrl-Z, which would leave nobody on guard', async ({ expect }) => {
    using gate = startGate("trap 'exit 6' USR1; echo up; while :; do sleep 0.05; done");
    await gate.until('bot: up');
    gate.kill('SIGTSTP');
    gate.kill('SIGUSR1');
    expect(await gate.exit, gate.log()).toBe(6);
  });

  test('leaves nothing of it behind: not what it forked, when it has gone', async ({ expect }) => {
    using gate = startGate("(trap '' TERM; while :; do sleep 0.06; done) & echo up; exit 3");
    expect(await gate.exit, gate.log()).toBe(3);
    await until('all have gone', () => gate.processes().length === 0);
  });

  test.skipIf(process.getuid?.() !== 0)(
    'reaps, as the first process, whatever is left to it',
    async ({ expect }) => {
      // Each of these ends when its parent, a shell, has gone already.
      const bot =
        'for i in 1 2 3; do (sh -c "sleep 0.1 & exit"); done; sleep 0.5; ls -d /proc/[0-9]* | wc -l; cat /proc/[0-9]*/stat | grep -c " Z " ; exit 9';
      using gate = startGate(
        bot,
        {},
        {
          gate: ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', python, '-IS', gatePath],
        },
      );
      expect(await gate.exit, gate.log()).toBe(9);
      expect(gate.events.at(-1)).toBe('bot: 0');
    },
  );

  test.skipIf(process.getuid?.() !== 0)(
    'as the first process still holds SIGTERM back',
    async ({ expect }) => {
      await using sidecar = await scriptedSidecar();
      using gate = startGate(
        patient,
        { SIDECAR_URL: sidecar.url },
        {
          gate: ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', python, '-IS', gatePath],
        },
      );
      await gate.until('bot: up');
      const own = gate.processes().find(({ command }) => command.startsWith(`${python} -IS`));
      sidecar.set('POST /drain', (response, { body }) => {
        response.end(JSON.stringify({ state: 'flat', boot: JSON.parse(body).boot }));
      });
      process.kill(own?.pid ?? 0, 'SIGTERM');
      expect(await gate.exit, gate.log()).toBe(0);
      expect(gate.log()).toMatch(/: flat\./);
    },
  );
});

describe.concurrent('before the bot starts', () => {
  // On a busy machine a second is soon over.
  const unhurried = changed('gate.FIRST_ASK_LIMIT = 30');

  test('a person’s hold is asked for, and the bot is told that it stands', async ({ expect }) => {
    await using sidecar = await scriptedSidecar();
    sidecar.tell({ hold: true });
    using gate = startGate(
      'echo hold=$BOTWARDEN_HOLD',
      { SIDECAR_URL: sidecar.url, DRAIN_TOKEN: 'secret' },
      { gate: unhurried },
    );
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.events).toEqual(['bot: hold=true']);
    const [first] = sidecar.calls('GET /livez');
    expect(first?.headers).toMatchObject({
      'botwarden-boot': sidecar.boot(),
      authorization: 'Bearer secret',
    });
    expect(first?.headers.prefer).toBeUndefined();
  });

  test('a sidecar that says that none stands makes it start as ever', async ({ expect }) => {
    await using sidecar = await scriptedSidecar();
    using gate = startGate('echo hold=$BOTWARDEN_HOLD', { SIDECAR_URL: sidecar.url }, { gate: unhurried });
    await gate.exit;
    expect(gate.events).toEqual(['bot: hold=']);
  });

  test.for([
    ['that refuses', 'http://127.0.0.1:9'],
    ['whose name does not exist', 'http://no-such-host.invalid:9400'],
  ] as const)('a sidecar %s is not waited for', async ([, url], { expect }) => {
    using gate = startGate('echo hold=$BOTWARDEN_HOLD', { SIDECAR_URL: url });
    await gate.exit;
    expect(gate.events).toEqual(['bot: hold=']);
  });

  test('a frozen sidecar is waited for, for a second, and the bot starts', async ({ expect }) => {
    await using sidecar = await frozenServer();
    using gate = startGate('echo hold=$BOTWARDEN_HOLD', { SIDECAR_URL: sidecar.url });
    await gate.exit;
    expect(gate.events).toEqual(['bot: hold=']);
  });
});

describe.concurrent('the gate refuses to start the bot:', () => {
  const write = (name: string, content: string | Buffer) => {
    const file = path.join(folder, name);
    writeFileSync(file, content);
    return file;
  };
  const token = write('token', 'from-a-file\n');

  test.for<[string, Record<string, string>, RegExp]>([
    ['a duration without a unit', { GATE_TIMEOUT: '70' }, /GATE_TIMEOUT: expected a time .* got "70"/],
    ['a duration of zero', { KILL_AFTER: '0s' }, /KILL_AFTER: expected a time .* got "0s"/],
    ['a negative duration', { KILL_AFTER: '-5s' }, /KILL_AFTER: /],
    ['an absurd duration', { GATE_TIMEOUT: '99999999999s' }, /GATE_TIMEOUT: /],
    ['an address that is none', { BOT_URL: 'not a url' }, /BOT_URL: expected an address .* got "not a url"/],
    ['an address with TLS', { SIDECAR_URL: 'https://sidecar' }, /SIDECAR_URL: expected .*without .*TLS/],
    [
      'an adapter that it does not know',
      { BOT_ADAPTER: 'ccxt' },
      /BOT_ADAPTER: expected http or freqtrade, got "ccxt"/,
    ],
    ['a path that is none', { BOT_CLOSE_PATH: 'close' }, /BOT_CLOSE_PATH: expected a path/],
    [
      'a token given twice',
      { BOT_TOKEN: 'a', BOT_TOKEN_FILE: token },
      /BOT_TOKEN: expected either BOT_TOKEN or BOT_TOKEN_FILE, not both/,
    ],
    [
      'a token file that is not there',
      { DRAIN_TOKEN_FILE: '/nowhere' },
      /DRAIN_TOKEN_FILE: .* \/nowhere \(No such file/,
    ],
    ['a token file that is empty', { DRAIN_TOKEN_FILE: write('empty', '\n') }, /which is empty/],
    ['a token file that is a folder', { DRAIN_TOKEN_FILE: folder }, /which is not a regular file/],
    [
      'a token file with two lines',
      { DRAIN_TOKEN_FILE: write('two', 'a\nb\n') },
      /which has something else in it/,
    ],
    [
      'a token file that is too long',
      { DRAIN_TOKEN_FILE: write('long', 'x'.repeat(70_000)) },
      /more than 64 KiB/,
    ],
    [
      'a token that no header can carry',
      { BOT_TOKEN: 'sëcret' },
      /BOT_TOKEN: expected one line of printable ASCII/,
    ],
    [
      'a freqtrade without its password',
      { BOT_ADAPTER: 'freqtrade', BOT_USERNAME: 'me' },
      /BOT_PASSWORD: expected api_server.password/,
    ],
  ])('%s', async ([, env, sentence], { expect }) => {
    using gate = startGate('echo started', env);
    expect(await gate.exit, gate.log()).toBe(2);
    expect(gate.log()).toMatch(sentence);
    expect(gate.events).toEqual([]);
    expect(gate.log()).not.toMatch(/s.cret/);
  });

  test.skipIf(process.platform !== 'linux')(
    'a token file that is a pipe is not waited for',
    async ({ expect }) => {
      const fifo = path.join(folder, 'fifo');
      await run('mkfifo', [fifo]);
      using gate = startGate('echo started', { BOT_TOKEN_FILE: fifo });
      expect(await gate.exit, gate.log()).toBe(2);
      expect(gate.log()).toContain('which is not a regular file');
    },
  );

  test('every problem is told at once, and a password in an address is not', async ({ expect }) => {
    using gate = startGate([], { BOT_URL: 'http://me:hidden@bot', KILL_AFTER: 'soon', GATE_TIMEOUT: '1h' });
    expect(await gate.exit).toBe(2);
    for (const part of ['nothing to run', '3 problems', 'BOT_URL', 'KILL_AFTER', 'GATE_TIMEOUT'])
      expect(gate.log()).toContain(part);
    expect(gate.log()).not.toContain('hidden');
  });

  test('no command, an empty one, or an option that it does not know', async ({ expect }) => {
    for (const command of [[], [''], ['--what', 'sh']]) {
      using gate = startGate(command);
      expect(await gate.exit).toBe(2);
      expect(gate.log()).toMatch(/nothing to run\. Usage: hold-until-flat COMMAND/);
    }
  });
});

describe('the command line', () => {
  test('--help tells of every variable that is read, and --version the version', async () => {
    const help = await run(python, ['-IS', gatePath, '--help']);
    expect(help.stderr).toBe('');
    const source = readFileSync(gatePath, 'utf8');
    const read = [...source.matchAll(/(?:read|secret)\("([A-Z_]+)"/g)].map(([, name]) => name ?? '');
    expect(read.length).toBeGreaterThan(10);
    for (const name of read) expect(help.stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    const readme = readFileSync(path.join(path.dirname(gatePath), '../../README.md'), 'utf8');
    for (const name of read) expect(readme).toContain(`\`${name}\``);
    const { version } = JSON.parse(
      readFileSync(path.join(import.meta.dirname, '../../../probes/package.json'), 'utf8'),
    );
    expect((await run(python, ['-IS', gatePath, '--version'])).stdout).toBe(`${version}\n`);
  });
});
