import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { listen } from '../bot.ts';
import { figureOf, type Measured } from '../figure.ts';
import { answerOf, startProgram } from '../processes.ts';
import type { World } from '../world.ts';

const INTERVAL_MS = 1_000;
const TIMEOUT_MS = 500;
const THRESHOLD = 3;

/** From the moment in which the bot hangs, anywhere between two probes, to the first 503. */
export async function fault(world: World): Promise<Measured> {
  const rounds = world.quick ? 1 : 20;
  const bound = THRESHOLD * INTERVAL_MS + TIMEOUT_MS;
  const shares: number[] = [];
  const bot = await listen();
  mkdirSync(join(world.folder, 'fault'), { recursive: true });
  const sidecar = await startProgram({
    name: 'the sidecar',
    command: await world.sidecar(),
    env: {
      BOT_URL: bot.url,
      DRAIN_LOG: join(world.folder, 'fault/drains.jsonl'),
      PROBE_INTERVAL: `${INTERVAL_MS}ms`,
      PROBE_TIMEOUT: `${TIMEOUT_MS}ms`,
      FAILURE_THRESHOLD: String(THRESHOLD),
      NODE_ENV: 'production',
    },
    path: '/readyz',
  });
  const isReady = async (): Promise<boolean> =>
    (await answerOf(sidecar.port, '/readyz')).startsWith('HTTP/1.1 200');
  const wait = async (ready: boolean): Promise<void> => {
    while ((await isReady()) !== ready) await delay(2);
  };
  try {
    for (let round = 0; round < rounds; round += 1) {
      world.say(`fault, round ${round + 1} of ${rounds}`);
      await wait(true);
      await delay(INTERVAL_MS + (round / rounds) * INTERVAL_MS);
      const began = performance.now();
      bot.hang();
      await wait(false);
      shares.push((performance.now() - began) / bound);
      bot.recover();
    }
    return {
      figures: [
        figureOf('fault to 503, over threshold × interval + time-out, median', '', shares),
        figureOf('fault to 503, over threshold × interval + time-out, longest', '', [Math.max(...shares)], {
          target: { atMost: 1.02 },
        }),
      ],
    };
  } finally {
    await sidecar.end();
    bot.close();
  }
}
