import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { figureOf, type Measured } from '../figure.ts';
import { startProgram } from '../processes.ts';
import { sidecarEnv, type World } from '../world.ts';
import { load } from '../wrk.ts';

const INTERVAL_S = 5;
const REQUESTS = 1_000_000;

/** Calls of the bot and queries of the database while a million requests come, beside as long a time without any. */
export async function extra(world: World): Promise<Measured> {
  const bot = await world.bot();
  const database = await countingRelay((await world.postgres()).port);
  const url = new URL((await world.postgres()).url);
  url.port = String((database.server.address() as AddressInfo).port);
  const ours = await startProgram({
    name: 'the sidecar',
    command: await world.sidecar(),
    env: { ...(await sidecarEnv(world, 'extra')), DATABASE_URL: url.href },
    path: '/readyz',
  });
  const count = async (): Promise<number> =>
    Object.values(await bot.calls()).reduce((sum, calls) => sum + calls, 0) + database.queries();
  try {
    // Whole intervals: each probe has as many turns in one window as in the other, wherever the window begins. The
    // close path is rehearsed once a minute, so that a window is a minute where it counts.
    const seconds = world.quick ? INTERVAL_S : 60;
    let asked = 0;
    let [under, quiet] = [0, 0];
    while (asked < (world.quick ? 1 : REQUESTS)) {
      world.say(`requests so far: ${asked}`);
      const atStart = await count();
      const began = performance.now();
      for (const path of ['/readyz', '/healthz'])
        asked += (await load(ours.port, path, seconds / 2 - 0.5)).requests;
      await delay(seconds * 1000 - (performance.now() - began));
      const between = await count();
      await delay(seconds * 1000);
      under += between - atStart;
      quiet += (await count()) - between;
    }
    return {
      figures: [
        figureOf('requests of /readyz and /healthz', '', [asked]),
        figureOf('queries and calls while they came', '', [under]),
        figureOf('queries and calls in the same time without', '', [quiet]),
        figureOf('extra queries and calls', '', [Math.max(0, under - quiet)], { target: { atMost: 0 } }),
      ],
    };
  } finally {
    await ours.end();
    database.server.close();
  }
}

/** Passes bytes on to a Postgres, and counts the queries in them: messages `Q` and `E` of the protocol. */
async function countingRelay(port: number): Promise<{ server: Server; queries: () => number }> {
  let queries = 0;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let rest = Buffer.alloc(0);
    let begun = false;
    client.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        // Only the first message has no type before its length.
        const head = begun ? 1 : 0;
        if (rest.length < head + 4) break;
        const length = head + rest.readInt32BE(head);
        if (rest.length < length) break;
        const type = begun ? String.fromCharCode(rest[0] ?? 0) : '';
        if (type === 'Q' || type === 'E') queries += 1;
        begun = true;
        rest = rest.subarray(length);
      }
    });
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, queries: () => queries };
}
