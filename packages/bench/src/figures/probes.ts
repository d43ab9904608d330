import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Figure, figureOf, type Measured } from '../figure.ts';
import { plot } from '../plot.ts';
import { answerOf, startProgram } from '../processes.ts';
import { short } from '../report.ts';
import type { World } from '../world.ts';

/** What a monitor with many probes cost over one stretch of time. */
interface Costs {
  readonly corePercent: number;
  readonly delayP99Ms: number;
  readonly runsPerSecond: number;
  readonly groupReadUs: number;
  readonly snapshotUs: number;
}

const COUNTS = [10, 30, 100, 300, 1_000, 3_000, 10_000];
const PLOT = fileURLToPath(new URL('../../docs/cost-of-probes.svg', import.meta.url));

/** What many probes cost in one process: a thousand real calls of the bot, and ten to ten thousand of nothing. */
export async function probes(world: World): Promise<Measured> {
  const seconds = world.quick ? 1 : 20;
  const many = world.quick ? 20 : 1_000;
  const real = await costsOf(world, 'http', many, seconds);
  const rows: Array<{ count: number; costs: Costs }> = [];
  for (const count of world.quick ? [10, 100] : COUNTS)
    rows.push({ count, costs: await costsOf(world, 'function', count, seconds) });
  const [first, last] = [rows[0], rows.at(-1)];
  const figures: Figure[] = [
    figureOf(`${many} http probes every 5 s, of a core`, '%', [real.corePercent], { target: { atMost: 20 } }),
    figureOf(`${many} http probes every 5 s, event-loop delay p99`, 'ms', [real.delayP99Ms], {
      target: { atMost: 20 },
    }),
  ];
  if (first !== undefined && last !== undefined) {
    const per = ({ count, costs }: typeof first): number => costs.corePercent / count;
    const thousand = rows.find(({ count }) => count === 1_000) ?? last;
    figures.push(
      figureOf(
        `core for each of ${last.count} probes over each of ${thousand.count}`,
        '',
        [per(last) / per(thousand)],
        {
          target: { atMost: 1.25 },
          note: 'linear is 1, or less where the process itself still counts',
        },
      ),
      figureOf(
        `reading readiness with ${last.count} probes over with ${first.count}`,
        '',
        [last.costs.groupReadUs / first.costs.groupReadUs],
        { target: { atMost: 2 }, note: 'constant is 1' },
      ),
    );
    if (!world.quick)
      writeFileSync(
        PLOT,
        plot({
          title: 'What n probes every 5 s cost, in % of a core',
          x: 'probes',
          y: '% of a core',
          points: rows.map(({ count, costs }) => [count, costs.corePercent]),
        }),
      );
  }
  return {
    figures,
    table: [
      ['probes', 'runs/s', '% of a core', 'delay p99 ms', 'readiness µs', 'snapshot µs'],
      ...[{ count: many, costs: real }, ...rows].map(({ count, costs }, index) => [
        index === 0 ? `${count} http` : String(count),
        short(costs.runsPerSecond),
        short(costs.corePercent),
        short(costs.delayP99Ms),
        short(costs.groupReadUs),
        short(costs.snapshotUs),
      ]),
    ],
  };
}

async function costsOf(world: World, kind: string, count: number, seconds: number): Promise<Costs> {
  world.say(`${count} ${kind} probes`);
  const program = await startProgram({
    name: `${count} probes`,
    command: [
      process.execPath,
      fileURLToPath(new URL('../contenders/many-probes.ts', import.meta.url)),
      String(count),
      kind,
    ],
    env: { BOT_URL: (await world.bot()).url },
    path: '/readyz',
  });
  const costs = async (): Promise<Costs> => {
    const text = await answerOf(program.port, '/costs');
    return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
  };
  try {
    // Every probe has run, and what the first runs compile is compiled.
    await delay(world.quick ? 100 : 10_000);
    await costs();
    await delay(seconds * 1000);
    return await costs();
  } finally {
    await program.end();
  }
}
