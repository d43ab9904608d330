import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { figureOf, type Measured, notMeasured } from '../figure.ts';
import { residentMb } from '../machine.ts';
import type { World } from '../world.ts';

const GATE = new URL('../../../python/src/botwarden/hold_until_flat.py', import.meta.url).pathname;
const START = "the gate's start to the bot's first instruction, beyond sh -c exec";

/** What the gate costs in the container of the bot: time before the bot begins, and memory while it waits. */
export async function gate(world: World): Promise<Measured> {
  if (!existsSync(GATE)) return { figures: [notMeasured(START, `there is no ${GATE}`, { atMost: 60 })] };
  const rounds = world.quick ? 1 : 40;
  const [held, plain]: [number[], number[]] = [[], []];
  let resident = Number.NaN;
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  // The first thing that this bot does is to knock. It has no start of its own, as an interpreter would.
  const bot = ['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port}; exec sleep 60`];
  const began = (command: readonly string[]): Promise<{ ms: number; child: ChildProcess }> =>
    new Promise((resolve) => {
      const start = performance.now();
      listener.once('connection', () => resolve({ ms: performance.now() - start, child }));
      const child = spawn(command[0] ?? '', command.slice(1), {
        env: {
          PATH: process.env.PATH ?? '',
          SIDECAR_URL: 'http://127.0.0.1:1',
          GATE_TIMEOUT: '1s',
          KILL_AFTER: '1s',
        },
        stdio: 'ignore',
        detached: true,
      });
    });
  const end = async (child: ChildProcess): Promise<void> => {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await exited;
  };
  try {
    for (let round = 0; round < rounds; round += 1) {
      world.say(`gate, round ${round + 1} of ${rounds}`);
      const one = await began(['python3', GATE, ...bot]);
      held.push(one.ms);
      await delay(200);
      resident = residentMb(one.child.pid ?? 0);
      await end(one.child);
      const other = await began(['sh', '-c', 'exec "$@"', 'sh', ...bot]);
      plain.push(other.ms);
      await end(other.child);
    }
  } finally {
    listener.close();
  }
  return {
    figures: [
      figureOf('start under the gate to the first instruction', 'ms', held),
      figureOf('start under sh -c exec', 'ms', plain),
      figureOf(
        START,
        'ms',
        held.map((ms, round) => ms - (plain[round] ?? Number.NaN)),
        { target: { atMost: 60 } },
      ),
      figureOf('the gate, resident', 'MB', [resident], { target: { atMost: 15 } }),
    ],
  };
}
