import { setTimeout as delay } from 'node:timers/promises';
import { sidecar, startBare } from '../contenders.ts';
import { type Figure, figureOf, type Measured } from '../figure.ts';
import { coreMs, residentMb } from '../machine.ts';
import type { World } from '../world.ts';
import { load } from '../wrk.ts';

/** What a sidecar costs that nobody asks anything, and what it keeps after a minute of load at full speed. */
export async function memory(world: World): Promise<Measured> {
  const idleSeconds = world.quick ? 2 : 300;
  const loadSeconds = world.quick ? 1 : 60;
  const ours = await sidecar.start(world);
  const bare = await startBare(ours, ['/readyz']);
  try {
    await delay(world.quick ? 500 : 10_000);
    world.say(`idle for ${idleSeconds} s`);
    const before = coreMs(ours.pid);
    await delay(idleSeconds * 1000);
    const share = (coreMs(ours.pid) - before) / (idleSeconds * 10);
    const idle = [residentMb(ours.pid), residentMb(bare.pid)] as const;
    for (const program of [ours, bare]) {
      world.say(`load on ${program.name} for ${loadSeconds} s`);
      await load(program.port, '/readyz', loadSeconds);
    }
    const loaded = [residentMb(ours.pid), residentMb(bare.pid)] as const;
    return {
      figures: [
        ...pair(`resident after ${idleSeconds} idle seconds`, idle),
        figureOf('core of the idle sidecar, three probes every 5 s', '%', [share], {
          target: { atMost: 0.3 },
        }),
        ...pair(`resident after ${loadSeconds} s of load`, loaded),
      ],
    };
  } finally {
    await ours.end();
    await bare.end();
  }
}

function pair(what: string, [ours, bare]: readonly [number, number]): Figure[] {
  return [
    figureOf(`${what}, sidecar`, 'MB', [ours]),
    figureOf(`${what}, bare`, 'MB', [bare]),
    figureOf(`${what}, over bare`, '', [ours / bare], { target: { atMost: 1.35 } }),
  ];
}
