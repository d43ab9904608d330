import { execFileSync } from 'node:child_process';
import { constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, test } from 'vitest';
import { changed, mortal, patient, startGate, until } from './gate-process.ts';
import { type Answer, scriptedServer, silence } from './scripted-server.ts';
import { scriptedSidecar } from './scripted-sidecar.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'gate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const flat = { status: 200, body: '{"open_positions":[],"pending_orders":[]}' };
const closed = { status: 200, body: '{"open_positions":0,"pending_orders":0}' };

describe.concurrent('when the bot has used up', () => {
  test('processes: the gate starts none any more, and no thread, imports nothing and writes no file', async ({
    expect,
  }) => {
    const seen = path.join(folder, 'seen');
    writeFileSync(seen, '');
    await using bot = await scriptedServer({
      'POST /close-positions': [500, closed],
      'GET /positions': flat,
      'GET /health': 200,
    });
    await using sidecar = await scriptedSidecar({ 'POST /drain': silence });
    // Python tells an audit hook of whatever is done; what is wrong after the fork is written down.
    const way = changed(
      'import os',
      'own, started = os.getpid(), False',
      `file = open(${JSON.stringify(seen)}, "a")`,
      'wrong = ("import", "os.fork", "os.exec", "os.posix_spawn", "subprocess.Popen", "_thread.start_new_thread", "open", "os.mkdir", "os.rename", "socket.getaddrinfo", "socket.gethostbyname")',
      'def hook(event, arguments):',
      '    global started',
      '    if started and event in wrong and os.getpid() == own: file.write(f"{event} {arguments}\\n"); file.flush()',
      '    if event == "os.fork": started = True',
      'sys.addaudithook(hook)',
    );
    using gate = startGate(
      mortal,
      { SIDECAR_URL: sidecar.url, BOT_URL: bot.url, KILL_AFTER: '300ms' },
      { gate: way },
    );
    await gate.until('bot: up');
    await until('the lease waits', () => sidecar.calls('GET /livez').length === 2);
    gate.kill('SIGTERM');
    gate.kill('SIGINT');
    expect(await gate.exit, gate.log()).toBe(137);
    expect(gate.log()).toMatch(/no sign of a drain.*: flat\..*it got SIGKILL/s);
    expect(readFileSync(seen, 'utf8')).toBe('');
  });

  test('memory: a stop drains all the same', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    // From the stop on the gate gets no memory beyond what it has.
    const way = changed(
      'import resource',
      'begin = gate.Gate._begin_stop',
      'def without_memory(self, *rest):',
      '    pages = int(open("/proc/self/statm").read().split()[0])',
      '    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(),) * 2)',
      '    try: bytearray(4 * 1024 * 1024)',
      '    except MemoryError: print("no memory", flush=True)',
      '    begin(self, *rest)',
      'gate.Gate._begin_stop = without_memory',
    );
    using gate = startGate(patient, { BOT_URL: bot.url }, { gate: way });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.events).toEqual(['bot: up', 'bot: no memory', 'bot: TERM']);
    expect(gate.log()).toMatch(/: flat\./);
  });

  test('memory, so that every step fails at first: each is tried again', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    await using sidecar = await scriptedSidecar({ 'POST /drain': 503 });
    const way = changed(
      'def failing(kind, name):',
      '    whole = getattr(kind, name)',
      '    left = 3',
      '    def method(*arguments):',
      '        nonlocal left',
      '        left -= 1',
      '        if left >= 0: raise MemoryError',
      '        return whole(*arguments)',
      '    setattr(kind, name, method)',
      'for kind, name in ((gate.Call, "__init__"), (gate.Call, "ready"), (gate.Stop, "__init__"), (gate.Stop, "turn"), (gate.Lease, "turn"),',
      '    (gate.HttpBot, "_close_call"), (gate.HttpBot, "_read"), (gate.Gate, "_forward"), (gate.Gate, "_reap")): failing(kind, name)',
    );
    using gate = startGate(
      patient,
      { BOT_URL: bot.url, SIDECAR_URL: sidecar.url, GATE_TIMEOUT: '60s' },
      { gate: way },
    );
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/: flat\./);
  });

  test('file descriptors of the gate’s own: it goes on, and forwards at its deadline', async ({ expect }) => {
    const way = changed(
      'import resource',
      'begin = gate.Gate._begin_stop',
      'def without_files(self, *rest):',
      '    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))',
      '    begin(self, *rest)',
      'gate.Gate._begin_stop = without_files',
    );
    using gate = startGate(patient, { BOT_URL: 'http://127.0.0.1:9', GATE_TIMEOUT: '3s' }, { gate: way });
    await gate.until('bot: up');
    gate.kill('SIGTERM');
    expect(await gate.exit, gate.log()).toBe(0);
    expect(gate.log()).toMatch(/NOT FLAT: not proven within 3s.*Too many open files/);
  });

  test.for(['socket', 'pipe'] as const)(
    'the reader of its log, at the end of a %s that is full: that stops nothing, and lines that were lost are counted',
    async (kind, { expect }) => {
      const enough = Promise.withResolvers<void>();
      const close: Answer = async (response) => {
        await enough.promise;
        response.end(closed.body);
      };
      await using bot = await scriptedServer({ 'POST /close-positions': close, 'GET /positions': flat });
      const fifo = path.join(folder, 'log');
      let log = '';
      const listen: (() => unknown)[] = [];
      const gatePart = { gate: changed('gate.LINES_LIMIT = 5') };
      if (kind === 'pipe') {
        execFileSync('mkfifo', [fifo]);
        gatePart.gate = ['sh', '-c', `exec "$@" 2>'${fifo}'`, 'sh', ...gatePart.gate];
        // Opened before the gate does, which would wait for it, and read when it is told.
        const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
        listen.push(() =>
          new Socket({ fd: reader, readable: true }).on('data', (data) => {
            log += data;
          }),
        );
      }
      // The bot fills what both write to, and waits in it.
      const filling =
        "trap 'exit 0' TERM; echo up; head -c 1000000 /dev/zero >&2 & while :; do sleep 0.05; done";
      using gate = startGate(filling, { BOT_URL: bot.url }, { read: false, ...gatePart });
      if (kind === 'socket') listen.push(gate.listen);
      await gate.until('bot: up');
      await until('it waits', () =>
        gate.processes().some(({ command, sleeps }) => command.startsWith('head') && sleeps),
      );
      gate.kill('SIGTERM');
      await until('it is being closed', () => bot.calls('POST /close-positions').length === 1);
      // Signals that come at the same moment are one.
      for (let more = 0; more < 100; more += 1) {
        gate.kill('SIGINT');
        await sleep(20);
      }
      enough.resolve();
      await until('it has been read', () => bot.calls('GET /positions').length === 2);
      for (const start of listen) start();
      const said = () => (kind === 'socket' ? gate.log() : log);
      await until('it says so', () => /: flat\./.test(said()));
      // A socket that is full for the bot may have room for a line.
      if (kind === 'pipe') expect(said()).toMatch(/\d+ lines were lost, since nobody read them/);
      expect(await gate.exit, said().slice(-2000)).toBe(0);
    },
  );

  test('and a reader that has gone stops nothing either', async ({ expect }) => {
    await using bot = await scriptedServer({ 'POST /close-positions': closed, 'GET /positions': flat });
    using gate = startGate(patient, { BOT_URL: bot.url }, { read: false });
    await gate.until('bot: up');
    gate.stopReading();
    gate.kill('SIGTERM');
    expect(await gate.exit).toBe(0);
    expect(bot.calls('GET /positions').length).toBe(2);
  });
});
