import { type Contender, goContender, OTHERS, sidecar, startBare } from '../contenders.ts';
import { type Figure, figureOf, type Measured } from '../figure.ts';
import { coreMs } from '../machine.ts';
import type { Program } from '../processes.ts';
import { short } from '../report.ts';
import { median, middleHalf, ratios } from '../statistics.ts';
import type { World } from '../world.ts';
import { CONNECTIONS, load } from '../wrk.ts';

/** What one contender showed on one path, round by round. */
interface Row {
  readonly name: string;
  readonly path: string;
  readonly program: Program;
  /** Of the row it is compared with: bare, sending the same bytes. */
  readonly bare: number;
  readonly perSecond: number[];
  readonly p99Ms: number[];
  /** Time on a core for each request, in microseconds: what else the machine does is not in it. */
  readonly coreUs: number[];
  failed: number;
}

/**
 * Requests per second and latency of the health endpoints. All contenders stand at the same time, and take turns of a
 * second; each is compared with bare `node:http` of the same round.
 */
export async function endpoint(world: World): Promise<Measured> {
  const rounds = world.quick ? 1 : 25;
  const notes: string[] = [];
  const programs: Program[] = [];
  try {
    const ours = await sidecar.start(world);
    programs.push(ours);
    await settled();
    const bare = await startBare(ours, ['/readyz', '/healthz', '/ping']);
    programs.push(bare);
    const rows: Row[] = [
      row('bare node:http', '/readyz', bare, 0),
      row('bare node:http', '/healthz', bare, 1),
      row(sidecar.name, '/readyz', ours, 0),
      row(sidecar.name, '/healthz', ours, 1),
    ];
    const go = await goContender(world);
    if (typeof go === 'string') notes.push(go);
    const others: Contender[] = [...OTHERS, ...(typeof go === 'string' ? [] : [go])];
    for (const contender of others) {
      world.say(`starting ${contender.name}`);
      const program = await contender.start(world);
      programs.push(program);
      for (const path of contender.paths)
        rows.push(row(contender.name, path, program, path === '/healthz' ? 1 : 0));
    }
    // What the first requests compile is not what is compared.
    for (const one of rows) await load(one.program.port, one.path, world.quick ? 1 : 3);
    for (let round = 0; round < rounds; round += 1) {
      world.say(`health endpoints, round ${round + 1} of ${rounds}`);
      // Backwards every other time: nobody always comes after the same neighbour.
      for (const one of round % 2 === 0 ? rows : rows.toReversed()) await turn(one);
    }
    return { figures: figuresOf(rows, notes), table: tableOf(rows) };
  } finally {
    for (const program of programs) await program.end();
  }
}

function row(name: string, path: string, program: Program, bare: number): Row {
  return { name, path, program, bare, perSecond: [], p99Ms: [], coreUs: [], failed: 0 };
}

async function turn(one: Row): Promise<void> {
  const before = coreMs(one.program.pid);
  const seen = await load(one.program.port, one.path, 1);
  one.coreUs.push(((coreMs(one.program.pid) - before) * 1000) / seen.requests);
  one.perSecond.push(seen.requestsPerSecond);
  one.p99Ms.push(seen.p99Ms);
  one.failed += seen.failed;
}

/** The probes of everybody have run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1_500));
}

function figuresOf(rows: readonly Row[], notes: readonly string[]): Figure[] {
  const find = (name: string, path: string): Row => {
    const found = rows.find((one) => one.name.startsWith(name) && one.path === path);
    if (found === undefined) throw new Error(`no row for ${name} ${path}`);
    return found;
  };
  const perSecond = (what: string, one: Row, other: Row, atLeast: number): Figure =>
    figureOf(what, '', ratios(one.perSecond, other.perSecond), { target: { atLeast } });
  const ready = find(sidecar.name, '/readyz');
  const health = find(sidecar.name, '/healthz');
  const highest = rows
    .filter(({ name }) => !name.startsWith('bare') && !name.includes('(Go'))
    .map((one) => median(ratios(one.perSecond, (rows[0] as Row).perSecond)));
  const figures = [
    perSecond('/readyz, requests per second over bare', ready, find('bare', '/readyz'), 0.9),
    perSecond('/healthz, requests per second over bare', health, find('bare', '/healthz'), 0.9),
    figureOf(
      '/readyz, requests per second of core time over bare',
      '',
      ratios(find('bare', '/readyz').coreUs, ready.coreUs),
    ),
    figureOf(
      '/healthz, requests per second of core time over bare',
      '',
      ratios(find('bare', '/healthz').coreUs, health.coreUs),
    ),
    perSecond('/readyz over @godaddy/terminus', ready, find('@godaddy', '/readyz'), 12),
    perSecond('/healthz over @godaddy/terminus', health, find('@godaddy', '/readyz'), 12),
    perSecond('/readyz over @nestjs/terminus', ready, find('@nestjs', '/readyz'), 35),
    perSecond('/healthz over @nestjs/terminus', health, find('@nestjs', '/readyz'), 35),
    figureOf('/readyz, p99 over bare', '', ratios(ready.p99Ms, find('bare', '/readyz').p99Ms), {
      target: { atMost: 1.2 },
    }),
    figureOf('/healthz, p99 over bare', '', ratios(health.p99Ms, find('bare', '/healthz').p99Ms), {
      target: { atMost: 1.2 },
    }),
    {
      what: 'the highest of all others over bare',
      unit: '',
      value: Math.max(...highest),
      target: { atMost: 1.03 },
      note: `nobody on Node may come out above the limit; ${CONNECTIONS} connections, turns of a second${notes.map((text) => `; ${text}`).join('')}`,
    },
    {
      what: 'answers that were not 200',
      unit: '',
      value: rows.reduce((sum, { failed }) => sum + failed, 0),
      target: { atMost: 0 },
    },
  ];
  return figures;
}

function tableOf(rows: readonly Row[]): string[][] {
  return [
    ['', 'path', 'requests/s', 'middle half', 'over bare', 'p99 ms', 'core µs', 'over bare'],
    ...rows.map((one) => {
      const bare = rows[one.bare] as Row;
      const [low, high] = middleHalf(one.perSecond);
      return [
        one.name,
        one.path,
        short(median(one.perSecond)),
        `${short(low)} – ${short(high)}`,
        median(ratios(one.perSecond, bare.perSecond)).toFixed(3),
        median(one.p99Ms).toFixed(2),
        median(one.coreUs).toFixed(1),
        median(ratios(one.coreUs, bare.coreUs)).toFixed(3),
      ];
    }),
  ];
}
