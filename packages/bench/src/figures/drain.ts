import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { listen } from '../bot.ts';
import { figureOf, type Measured } from '../figure.ts';
import { startProgram } from '../processes.ts';
import type { World } from '../world.ts';

/** How long the bot takes to close, in milliseconds. */
const CLOSING_MS = 200;

/** The wait between the two reads that prove flat, in milliseconds: `Pace.readEveryMs` of the http adapter. */
const BETWEEN_READS_MS = 250;

/** From SIGTERM to the first byte of the close call, and to the exit, seen from the bot's side. */
export async function drain(world: World): Promise<Measured> {
  const rounds = world.quick ? 1 : 50;
  const toCall: number[] = [];
  const added: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    world.say(`drain, round ${round + 1} of ${rounds}`);
    const seen = await oneDrain(world);
    toCall.push(seen.toCall);
    added.push(seen.added);
  }
  return {
    figures: [
      figureOf('SIGTERM to the first byte of the close call', 'ms', toCall, { target: { atMost: 5 } }),
      figureOf('SIGTERM to exit, less closing and the wait between the reads', 'ms', added, {
        target: { atMost: 60 },
      }),
    ],
  };
}

async function oneDrain(world: World): Promise<{ toCall: number; added: number }> {
  const called = Promise.withResolvers<number>();
  const bot = await listen({ closingMs: CLOSING_MS, onClose: () => called.resolve(performance.now()) });
  const folder = join(world.folder, 'drain');
  mkdirSync(folder, { recursive: true });
  const sidecar = await startProgram({
    name: 'the sidecar',
    command: await world.sidecar(),
    env: { BOT_URL: bot.url, DRAIN_LOG: join(folder, `${performance.now()}.jsonl`), NODE_ENV: 'production' },
    path: '/readyz',
  });
  try {
    // What the start still does in the background is over.
    await delay(500);
    const exited = new Promise<number | null>((resolve) => sidecar.child.once('exit', resolve));
    const began = performance.now();
    sidecar.child.kill('SIGTERM');
    const toCall = (await called.promise) - began;
    const code = await exited;
    if (code !== 0) throw new Error(`expected the sidecar to exit with 0, it exited with ${code}`);
    return { toCall, added: performance.now() - began - CLOSING_MS - BETWEEN_READS_MS };
  } finally {
    await sidecar.end();
    bot.close();
  }
}
